//! Rollouts as people and files begin them, with the real host and the real command line: the whole way and what is
//! seen on it, every way back, who may begin one, and what a restart makes of it.
//!
//! The behavior adds up what it gets and counts its rows. Where a new version answers otherwise it does so by a known
//! quarter, so that history tells which version answered each row.

mod arrivals;
mod back;
mod begin;
mod carried;
mod commands;
mod hall;
mod killed;
mod ladder;
mod ledger;
mod phases;
mod pickup;
mod quiet;
mod restart;
mod way;
mod words;
