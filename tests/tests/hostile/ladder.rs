//! A twin whose behavior fails again and again: it comes back with its last good state, then with an older one, then
//! with the version that ran before, and at last the site's substitute stands in. Every rung is in the journal, and
//! the other twin of its cohort notices nothing.
