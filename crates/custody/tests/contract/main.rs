//! What every key provider keeps, tested over files, over a SoftHSM 2 token and over a server that speaks Vault's transit API.
//!
//! Each rule is one function and runs once a provider. Tests of a token run in a process of their own: SoftHSM's configuration and
//! its state are a process's.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests stop at the first surprise")]

mod desk;
mod outages;
mod pins;
mod rules;
mod server;
mod softhsm;
mod vaults;

macro_rules! contract {
    ($($rule:ident),+ $(,)?) => {
        mod file {
            $(#[test] fn $rule() { crate::rules::$rule(&crate::desk::Desk::of_files()); })+
        }
        mod vault {
            $(#[test] fn $rule() {
                let server = crate::server::Server::start();
                crate::rules::$rule(&crate::desk::Desk::open(server.kms(), (3, false)));
            })+
        }
        mod pkcs11 {
            $(#[test] fn $rule() {
                crate::softhsm::in_own_process(concat!("pkcs11::", stringify!($rule)), crate::rules::$rule);
            })+
        }
    };
}

contract!(
    what_is_wrapped_opens_in_its_place_alone,
    a_batch_is_wrapped_anew_in_its_places_alone,
    a_destroyed_version_never_opens_and_its_number_never_comes_back,
    signatures_verify_strictly_under_the_listed_key,
    a_retired_version_signs_no_more_and_keeps_its_public_key,
    uses_are_counted_across_restarts_and_never_too_low,
    what_one_process_wrapped_another_opens,
    racing_makers_and_wrappers_lose_nothing,
    what_another_provider_wrapped_is_told_apart,
);
