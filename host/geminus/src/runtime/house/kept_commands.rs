//! Commands as the outbox keeps them: the newest first, and one with its course.

use geminus_api::query::CommandsQuery;
use geminus_api::{Trouble, view as api};
use geminus_command::{Phase, Record};
use geminus_core::Timestamp;
use geminus_store::{CommandFilter, CommandRow};
use uuid::Uuid;

use super::{Rooms, blocking, commands};

impl Rooms {
    pub(super) async fn page_of_commands(&self, query: CommandsQuery) -> Result<api::CommandsView, Trouble> {
        query.twin.as_deref().map(|id| self.known(id)).transpose()?;
        let dispatch = self.desk_of_commands(commands::Ask::Dispatch).await?;
        let (outbox, now, limit) = (self.store.outbox(), self.clock.now(), query.limit as usize);
        let state = query.state.map(|phase: Phase| phase.name().to_owned());
        let filter = CommandFilter { twin: query.twin, target: query.target, state, before: query.before };
        let mut rows = blocking(move || outbox.commands(&filter, limit)).await?;
        let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.number);
        rows.retain(|row| query.scope.contains(&row.twin));
        let views: Result<Vec<_>, Trouble> = rows.iter().map(|row| command_view(row, now)).collect();
        Ok(api::CommandsView { commands: views?, next, dispatch })
    }

    pub(super) async fn one_command(&self, id: Uuid) -> Result<api::CommandDetail, Trouble> {
        let interlocks = self.desk_of_commands(|reply| commands::Ask::Interlocks(id, reply)).await?;
        let (outbox, now) = (self.store.outbox(), self.clock.now());
        let read = blocking(move || Ok((outbox.command(id.as_bytes())?, outbox.transitions(id.as_bytes())?)));
        let (row, transitions) = read.await?;
        let row = row.ok_or_else(|| Trouble::NotFound(format!("there is no command {id}")))?;
        let transitions = transitions.into_iter().filter_map(commands::show::transition).collect();
        Ok(api::CommandDetail { command: command_view(&row, now)?, transitions, interlocks })
    }
}

/// A command as it was kept.
fn command_view(row: &CommandRow, now: Timestamp) -> Result<api::CommandView, Trouble> {
    let record =
        Record::from_document(&row.document).map_err(|error| Trouble::Internal(error.to_string()))?;
    Ok(commands::show::command(&record, row.number, now))
}
