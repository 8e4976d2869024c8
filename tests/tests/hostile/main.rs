//! Hostile plugins in a house with twenty innocent twins: whatever they do is refused or contained with words that
//! name plugin, version, twin and rule, and nobody else loses a row.
//!
//! `corpus` is what they do. `from_the_start` runs each for one twin beside a neighbour in the same instance;
//! `floods` are those that break nothing;
//! `as_update` brings each as the next version of a good incumbent; `ladder` climbs from restart to quarantine, `leaving` closes, and
//! `restart` starts the host again while twins are quarantined.

mod as_update;
mod corpus;
mod exports;
mod floods;
mod from_the_start;
mod house;
mod ladder;
mod leaving;
mod lies;
mod restart;
mod saved;
mod updates;
