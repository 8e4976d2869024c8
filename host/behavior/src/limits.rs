//! What a behavior may use: memory, time, instructions, words. One named number for each, with its default.
//!
//! A declaration may promise less, never more: where both speak, the lower holds. The site's configuration
//! fills this struct; nothing else in the room holds a number of its own.

use std::time::Duration;

use geminus_core::Declaration;

/// Site-wide limits for every behavior.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest component file that is accepted, in bytes.
    pub component_bytes_max: usize,
    /// Components and modules inside each other.
    pub component_depth_max: u64,
    /// Modules and components that a component is made of.
    pub modules_max: u64,
    /// Functions in all its modules.
    pub functions_max: u64,
    /// Types in all its modules.
    pub types_max: u64,
    /// Imports, exports, globals, segments, instances and aliases in all its modules.
    pub items_max: u64,
    /// Bytes of one function's code.
    pub function_bytes_max: u64,
    /// Variables of one function.
    pub locals_max: u64,
    /// Blocks, loops and branches inside each other in one function.
    pub block_depth_max: u64,
    /// Variables of one function, parameters among them, times its loops: what a compiler must keep apart. Thirteen
    /// kilobytes of code with 500,000 of them take it ten seconds and a gigabyte.
    pub joins_max: u64,
    /// The same, added up over all functions.
    pub joins_in_all_max: u64,
    /// Linear memory of one instance, in bytes.
    pub memory_bytes_max: usize,
    /// Address space kept free for each instance, in bytes; 4 GiB lets compiled code skip bounds checks. Where
    /// the machine has not as much, `memory_bytes_max` is used and code runs a little slower.
    pub memory_reservation_bytes: u64,
    /// Elements of one table.
    pub table_elements_max: usize,
    /// Instances alive at one time in this process, counted by their memories: one a cohort, one more for each swap or
    /// recovery under way. Twins with an instance of their own need two each while a rollout feeds both versions. Less
    /// where the kernel has not the mappings for it (`vm.max_map_count`, two for each instance). The default is what
    /// still fits into the address space with `memory_reservation_bytes` each.
    pub instances_max: u32,
    /// Twins in one cohort.
    pub slots_max: u32,
    /// Rows in one call; a larger frame is stepped in parts, and so is one whose rows cost much.
    pub rows_per_call_max: usize,
    /// Slots in one call of `open`, `snapshot`, `restore` or `close`: enough that the call itself costs nothing beside
    /// its work, few enough that neither the guest's memory nor the processor's cache swells with the arguments.
    pub slots_per_call_max: usize,
    /// Fuel (roughly instructions) that one row of a `step` may use, where the declaration does not promise less. A
    /// call has the fuel of one row, however many it carries. All of it is about two milliseconds, which the other twins
    /// of the shard wait when a row never ends.
    pub fuel_per_row_max: u64,
    /// Fuel that each call gets besides.
    pub fuel_per_call_base: u64,
    /// Fuel that one slot may use in a `snapshot`, a `restore` or a `close`.
    pub fuel_per_slot: u64,
    /// Fuel that one slot may use in `open`, which reads the parameters.
    pub fuel_per_open: u64,
    /// Fuel that a `forecast` may use; each of its times may use as much as a row.
    pub fuel_per_forecast_max: u64,
    /// Fuel that instantiating a component may use.
    pub fuel_to_start: u64,
    /// Wall-clock time of one call: the backstop behind fuel, which is the real limit.
    pub call_wall: Duration,
    /// How finely `call_wall` is measured.
    pub epoch_tick: Duration,
    /// Alerts that one row may raise.
    pub alerts_per_row_max: usize,
    /// Proposals that one row may make.
    pub proposals_per_row_max: usize,
    /// Bytes of an alert's detail, a proposal's reason or a fault's words; what exceeds is cut.
    pub string_bytes_max: usize,
    /// Log lines of one call; what exceeds is counted and dropped.
    pub log_lines_per_call: u32,
    /// Bytes of a log line; what exceeds is cut.
    pub log_bytes_max: usize,
    /// Calls of the host (log lines and look-ups, refused ones too) that one call may make; one more breaks it, since
    /// they take time but hardly any fuel.
    pub host_calls_per_call: u32,
    /// Bytes of log lines that one call may hand over, kept or not; more break it.
    pub log_bytes_per_call: usize,
    /// Look-ups of one call.
    pub lookups_per_call: u32,
    /// Samples that one look-up may return.
    pub lookup_samples_max: u32,
    /// Bytes that a guest may hand to the host in one call, besides what the next two allow.
    pub transfer_bytes_base: usize,
    /// Bytes that a guest may hand to the host for each row.
    pub transfer_bytes_per_row: usize,
    /// Bytes of state that one twin may have.
    pub state_bytes_max: usize,
    /// Rows kept since the last snapshot for rebuilding an instance; when there are as many, a snapshot is taken.
    pub replay_rows_max: usize,
    /// Instances built for one search for the twins that a new version refuses; twins not told apart by then are
    /// refused together.
    pub trials_max: u32,
    /// Instances built during one step for finding the twins that break it; twins that were not cleared by then are
    /// quarantined together.
    pub trials_per_step_max: u32,
    /// Fuel that may be burnt during one step by calls that break, before the search ends in the same way; at least
    /// that of eight rows, so that one culprit is always found.
    pub fuel_burnt_per_step_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            component_bytes_max: 32 << 20,
            component_depth_max: 8,
            modules_max: 64,
            functions_max: 100_000,
            types_max: 20_000,
            items_max: 200_000,
            function_bytes_max: 512 << 10,
            locals_max: 20_000,
            block_depth_max: 2_000,
            joins_max: 100_000,
            joins_in_all_max: 4_000_000,
            memory_bytes_max: 256 << 20,
            memory_reservation_bytes: 4 << 30,
            table_elements_max: 20_000,
            instances_max: 21_000,
            slots_max: 100_000,
            rows_per_call_max: 256,
            slots_per_call_max: 256,
            fuel_per_row_max: 2_000_000,
            fuel_per_call_base: 1_000_000,
            fuel_per_slot: 2_000_000,
            fuel_per_open: 20_000_000,
            fuel_per_forecast_max: 50_000_000,
            fuel_to_start: 100_000_000,
            call_wall: Duration::from_secs(1),
            epoch_tick: Duration::from_millis(10),
            alerts_per_row_max: 16,
            proposals_per_row_max: 8,
            string_bytes_max: 512,
            log_lines_per_call: 32,
            log_bytes_max: 1_024,
            host_calls_per_call: 4_096,
            log_bytes_per_call: 1 << 20,
            lookups_per_call: 16,
            lookup_samples_max: 1_000,
            transfer_bytes_base: 1 << 20,
            transfer_bytes_per_row: 4 << 10,
            state_bytes_max: 64 << 10,
            replay_rows_max: 65_536,
            trials_max: 512,
            trials_per_step_max: 128,
            fuel_burnt_per_step_max: 20_000_000,
        }
    }
}

impl Limits {
    /// Fuel of one call of `step` under this declaration.
    pub(crate) fn step_fuel(&self, declaration: &Declaration) -> u64 {
        self.fuel_per_call_base.saturating_add(self.fuel_per_row_max.min(declaration.budget.fuel_per_row))
    }

    /// Fuel of one call of `snapshot`, `restore` or `close`.
    pub(crate) fn slot_fuel(&self) -> u64 {
        self.fuel_per_call_base.saturating_add(self.fuel_per_slot)
    }

    /// Fuel of one call of `open`.
    pub(crate) fn open_fuel(&self) -> u64 {
        self.fuel_per_call_base.saturating_add(self.fuel_per_open)
    }

    /// Fuel of a `forecast` of that many times.
    pub(crate) fn forecast_fuel(&self, declaration: &Declaration, times: usize) -> u64 {
        let times = self.step_fuel(declaration).saturating_mul(times as u64);
        times.min(self.fuel_per_forecast_max)
    }

    /// Linear memory for an instance of this declaration.
    pub(crate) fn memory_bytes(&self, declaration: &Declaration) -> usize {
        let declared = usize::try_from(declaration.budget.memory_bytes).unwrap_or(usize::MAX);
        self.memory_bytes_max.min(declared)
    }

    /// Ticks of the epoch until a call is stopped: at least `call_wall`, at most one tick longer.
    pub(crate) fn wall_ticks(&self) -> u64 {
        let tick = self.epoch_tick.as_nanos().max(1);
        u64::try_from(self.call_wall.as_nanos().div_ceil(tick)).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Rows to keep for `slots` twins before a snapshot is due: many twins, many rows; one twin, a few.
    pub(crate) fn replay_rows(&self, slots: usize) -> usize {
        (slots.saturating_mul(16)).clamp(256, self.replay_rows_max.max(256))
    }
}

/// Cuts `text` at a character's border so that it has at most `bytes_max` bytes.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_of_declaration_and_site_holds() {
        let json = serde_json::json!({
            "declaration": 1, "name": "probe", "version": "1.0.0", "kind": "estimator",
            "outputs": [{"name": "b", "unit": "1"}], "state": {"schema": 0, "reads": [], "writes": []},
            "budget": {"fuel_per_row": 100, "memory_bytes": 1_u64 << 40}
        });
        let declaration = Declaration::parse(json.to_string().as_bytes()).unwrap();
        let limits = Limits { fuel_per_call_base: 7, ..Limits::default() };
        assert_eq!(limits.step_fuel(&declaration), 107);
        assert_eq!(limits.forecast_fuel(&declaration, 3), 321);
        assert_eq!(limits.forecast_fuel(&declaration, usize::MAX), limits.fuel_per_forecast_max);
        assert_eq!(limits.memory_bytes(&declaration), 256 << 20);
    }

    #[test]
    fn words_are_cut_at_a_character() {
        for (text, bytes_max, expect) in [("abc", 5, "abc"), ("abc", 2, "ab"), ("aäb", 2, "a"), ("ä", 0, "")]
        {
            assert_eq!(cut(text.to_owned(), bytes_max), expect);
        }
    }
}
