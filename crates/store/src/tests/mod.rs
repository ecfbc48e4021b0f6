//! The store's tests, against real databases. `contract` is what every engine keeps; it is compiled once for each of them, so a
//! test is written once and counted twice. `sqlite` and `postgres` hold what only one of them has.

mod fixture;
mod postgres;
mod postgres_home;
mod server;
mod sqlite;
mod sqlite_home;
