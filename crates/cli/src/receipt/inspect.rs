//! `countersign receipt inspect`: header and claims as they stand, believed by nobody.

use super::Token;
use crate::outcome::Outcome;
use serde_json::json;

/// Show header and claims WITHOUT checking anything.
#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    token: Token,
}

impl Inspect {
    /// Prints the token as JSON.
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        match receipt::inspect_unverified(&self.token.read()?) {
            Ok(token) => {
                eprintln!("UNVERIFIED: nobody has checked who wrote this; decide nothing on it");
                let whole = json!({ "header": token.header, "claims": token.claims });
                println!("{}", serde_json::to_string_pretty(&whole)?);
                Ok(Outcome::Done)
            }
            Err(refused) => {
                eprintln!("refused: {}", refused.reason());
                Ok(Outcome::Refused)
            }
        }
    }
}
