//! Who we are to the server: a token from a file, or one that a login gave, taken anew before it ends and when it is denied.
//!
//! Must never know: keys. Invariants: credentials are read from their files for one login; a login that was refused is not tried
//! again until one of its files changes, because servers lock a role out after a few.

use super::client::{Answer, Client, Question};
use crate::{CustodyError, Outage, VaultAuth, file::files, refused::Refused};
use serde::{Deserialize, Serialize};
use service::Clock;
use std::{
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use zeroize::Zeroizing;

/// Longest token of a service account, in bytes.
const LONGEST_JWT: usize = 64 * 1024;

/// See the module.
pub(super) struct Login {
    auth: VaultAuth,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    token: Option<Token>,
    refused: Refused,
}

#[derive(Clone)]
struct Token {
    text: Zeroizing<String>,
    /// When it is taken anew, on the clock's monotonic scale.
    renew_at: Option<Duration>,
}

#[derive(Deserialize)]
struct Given {
    auth: GivenToken,
}

#[derive(Deserialize)]
struct GivenToken {
    client_token: String,
    lease_duration: u64,
}

#[derive(Serialize)]
struct RoleAndSecret<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

#[derive(Serialize)]
struct RoleAndJwt<'a> {
    role: &'a str,
    jwt: &'a str,
}

impl Login {
    /// Reads the credential's files once, so that what is missing is refused at start.
    pub(super) fn new(auth: VaultAuth, clock: Clock) -> Result<Self, CustodyError> {
        match &auth {
            VaultAuth::Token { file } => drop(files::read_line(file)?),
            VaultAuth::Approle { role_id_file, secret_id_file, .. } => {
                files::read_line(role_id_file)?;
                files::read_line(secret_id_file)?;
            }
            VaultAuth::Kubernetes { jwt_file, .. } => drop(read_jwt(jwt_file)?),
        }
        Ok(Self { auth, clock, state: Mutex::new(State { token: None, refused: Refused::none()? }) })
    }

    /// A token to ask with.
    pub(super) fn token(&self, client: &Client) -> Result<Zeroizing<String>, CustodyError> {
        let mut state = self.state();
        let now = self.clock.monotonic();
        match &state.token {
            Some(token) if token.renew_at.is_none_or(|at| now < at) => return Ok(token.text.clone()),
            _ => {}
        }
        let token = self.take(client, &mut state.refused)?;
        state.token = Some(token.clone());
        Ok(token.text)
    }

    /// Lets go of a token that the server denied; whether another may be had at once.
    pub(super) fn denied(&self, text: &str) -> bool {
        let mut state = self.state();
        if state.token.as_ref().is_some_and(|token| *token.text == text) {
            state.token = None;
        }
        match &self.auth {
            // The same token would be denied again.
            VaultAuth::Token { file } => files::read_line(file).is_ok_and(|now| *now != text),
            _ => true,
        }
    }

    fn take(&self, client: &Client, refused: &mut Refused) -> Result<Token, CustodyError> {
        let unreadable = |error| CustodyError::outage(Outage::CredentialFile, error);
        let (path, body) = match &self.auth {
            VaultAuth::Token { file } => {
                return Ok(Token { text: files::read_line(file).map_err(unreadable)?, renew_at: None });
            }
            VaultAuth::Approle { mount, role_id_file, secret_id_file } => {
                let role_id = files::read_line(role_id_file).map_err(unreadable)?;
                let secret_id = files::read_line(secret_id_file).map_err(unreadable)?;
                (mount, json(&RoleAndSecret { role_id: &role_id, secret_id: &secret_id })?)
            }
            VaultAuth::Kubernetes { mount, role, jwt_file } => {
                let jwt = read_jwt(jwt_file).map_err(unreadable)?;
                (mount, json(&RoleAndJwt { role, jwt: &jwt })?)
            }
        };
        if refused.was(&body) {
            return Err(Outage::CredentialRefused.into());
        }
        let path = format!("auth/{path}/login");
        let question = Question { path: &path, body: Some(body.clone()), token: None, repeatable: false };
        match client.ask(&question)? {
            Answer::Done(answer) => {
                refused.forget();
                self.given(&answer)
            }
            Answer::Refused | Answer::Denied => {
                refused.remember(&body);
                Err(Outage::CredentialRefused.into())
            }
            Answer::Absent => Err(Outage::Answer.into()),
        }
    }

    fn given(&self, answer: &[u8]) -> Result<Token, CustodyError> {
        let given: Given = serde_json::from_slice(answer).map_err(|_| Outage::Answer)?;
        let lease = Duration::from_secs(given.auth.lease_duration);
        // A lease of 0 does not end.
        let renew_at = (!lease.is_zero()).then(|| self.clock.monotonic() + lease * 2 / 3);
        Ok(Token { text: Zeroizing::new(given.auth.client_token), renew_at })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As JSON, wiped when it is done with.
pub(super) fn json(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
    serde_json::to_vec(value).map(Zeroizing::new).map_err(|_| Outage::Answer.into())
}

/// A projected token is a link in a directory that the kubelet owns, so the rules of our own secret files do not hold for it.
fn read_jwt(path: &Path) -> Result<Zeroizing<String>, CustodyError> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(files::at(path))?);
    let line = text.trim_end_matches(['\r', '\n']);
    let sound = !line.is_empty() && line.len() <= LONGEST_JWT && line.bytes().all(|b| b.is_ascii_graphic());
    if sound { Ok(Zeroizing::new(line.to_owned())) } else { Err(CustodyError::Malformed { path: path.to_owned() }) }
}
