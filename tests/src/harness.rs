//! Parts of the harness, one file each.

pub(crate) mod bomb;
pub(crate) mod broker;
pub(crate) mod browser;
pub(crate) mod cells;
pub(crate) mod certificates;
pub(crate) mod dead_man;
pub(crate) mod death;
pub(crate) mod edge;
pub(crate) mod field;
pub(crate) mod guest;
pub(crate) mod host;
pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod machine;
pub(crate) mod opcua;
pub(crate) mod openid;
pub(crate) mod place;
pub(crate) mod pulse;
pub(crate) mod question;
pub(crate) mod rebuild;
pub(crate) mod rounds;
pub(crate) mod site;
pub(crate) mod stream;
pub(crate) mod wait;
pub(crate) mod wat;
