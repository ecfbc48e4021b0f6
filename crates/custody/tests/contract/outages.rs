//! What callers are told while a provider is out, how long they wait for it, and that it recovers by itself.

use crate::softhsm::{self, Token};
use custody::{CustodyError, KekRef, KeyUse, Kms, KmsConfig, Outage, Signer};
use service::Clock;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const TENANT: &str = "tn_00000000000000000000000000000007";
const KEK: KekRef<'static> = KekRef { tenant: TENANT, version: 1 };

/// A provider on the real clock, with one secret wrapped and one signing key.
pub(crate) struct Ward {
    kms: Kms,
    wrapped: Vec<u8>,
}

impl Ward {
    pub(crate) fn admit(config: &KmsConfig) -> Self {
        let kms = Kms::open(config, Clock::system()).unwrap();
        kms.make_kek(TENANT).unwrap();
        kms.make_signing_key(KeyUse::Receipt).unwrap();
        let wrapped = kms.wrap(KEK, b"secret", b"").unwrap();
        Self { kms, wrapped }
    }

    fn opens(&self) -> Result<(), CustodyError> {
        self.kms.unwrap(KEK, &self.wrapped, b"").map(|secret| assert_eq!(&**secret, b"secret"))
    }

    /// Every call says that the provider is out, none that a key is gone, and each within `longest`.
    pub(crate) fn is_out(&self, longest: Duration) -> Vec<Outage> {
        self.are_out(usize::MAX, longest)
    }

    /// The same of the first calls alone: between two questions stands a rest.
    pub(crate) fn are_out(&self, calls: usize, longest: Duration) -> Vec<Outage> {
        let first = calls;
        let (kms, clock) = (&self.kms, Clock::system());
        let calls: [&dyn Fn() -> Result<(), CustodyError>; 8] = [
            &|| self.opens(),
            &|| kms.wrap(KEK, b"x", b"").map(drop),
            &|| kms.keks(TENANT).map(drop),
            &|| kms.keks("nobody").map(drop),
            &|| kms.make_kek(TENANT).map(drop),
            &|| kms.destroy_kek(KEK).map(drop),
            &|| kms.signing_keys(KeyUse::Receipt).map(drop),
            &|| kms.make_signing_key(KeyUse::Receipt).map(drop),
        ];
        let mut told = Vec::new();
        for (number, call) in calls.into_iter().take(first).enumerate() {
            // Past the rest, so that each asks the provider itself.
            let outage = loop {
                let begun = clock.monotonic();
                let Err(CustodyError::Outage { why, .. }) = call() else { panic!("call {number} is not an outage") };
                let took = clock.monotonic() - begun;
                assert!(took < longest, "call {number} took {took:?}");
                if why != Outage::Resting {
                    break why;
                }
                thread::sleep(Duration::from_millis(50));
            };
            told.push(outage);
        }
        told
    }

    /// It recovers without anybody's help, and has lost nothing.
    pub(crate) fn recovers(&self) {
        let recovered = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(50));
            self.opens().is_ok()
        });
        assert!(recovered, "still out after 10 s");
        let kms = &self.kms;
        assert_eq!(kms.keks(TENANT).unwrap().iter().filter(|kek| kek.destroyed_at_s.is_none()).count(), 1);
        let signer = Signer::new(kms.clone(), KeyUse::Receipt);
        let key = signer.key().unwrap();
        assert!(key.version == 1 && signer.sign(&key, b"message").is_ok());
    }
}

#[test]
fn a_token_that_is_pulled_is_an_outage_and_one_that_is_put_back_goes_on() {
    softhsm::with_token("outages::a_token_that_is_pulled_is_an_outage_and_one_that_is_put_back_goes_on", |token| {
        let ward = Ward::admit(&KmsConfig::Pkcs11(token.config()));
        for _ in 0..2 {
            token.pull(true);
            ward.is_out(Duration::from_millis(3_000));
            token.pull(false);
            ward.recovers();
        }
    });
}

#[test]
fn a_token_that_is_out_at_start_is_waited_for_without_an_end() {
    softhsm::with_token("outages::a_token_that_is_out_at_start_is_waited_for_without_an_end", |token| {
        let ward = Ward::admit(&KmsConfig::Pkcs11(token.config()));
        token.pull(true);
        let kms = Kms::open(&KmsConfig::Pkcs11(token.config()), Clock::system()).unwrap();
        let late = Ward { kms, wrapped: ward.wrapped.clone() };
        assert!(late.opens().unwrap_err().is_outage());
        token.pull(false);
        late.recovers();
    });
}

/// SoftHSM waits for the lock of its token's files without a deadline of its own: another holder makes it hang for real.
#[test]
fn a_token_that_hangs_keeps_nobody_past_the_deadline() {
    softhsm::with_token("outages::a_token_that_hangs_keeps_nobody_past_the_deadline", |token| {
        let ward = Ward::admit(&KmsConfig::Pkcs11(token.config()));
        let holder = Holder::of(&token.tokens());
        let told = ward.is_out(Duration::from_millis(2_500));
        assert!(told.contains(&Outage::Late), "{told:?}");
        drop(holder);
        // Makings whose callers had gone may have been done after all; nothing is lost by it.
        let recovered = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(50));
            ward.opens().is_ok()
        });
        assert!(recovered, "still out after 10 s");
    });
}

/// Another process that holds every lock below a directory until it is dropped.
struct Holder(Child);

impl Holder {
    fn of(dir: &Path) -> Self {
        let program = "import fcntl, pathlib, sys\n\
            held = [open(p, 'r+b') for p in pathlib.Path(sys.argv[1]).rglob('*') if p.is_file()]\n\
            [fcntl.lockf(f, fcntl.LOCK_EX) for f in held]\n\
            print(len(held), flush=True)\n\
            sys.stdin.read()";
        let mut command = Command::new("python3");
        command.args(["-c", program]).arg(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut count = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut count).unwrap();
        assert!(count.trim().parse::<u32>().unwrap() > 2, "nothing was locked");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn settings_of_a_token_that_cannot_serve_are_refused_at_start() {
    softhsm::with_token("outages::settings_of_a_token_that_cannot_serve_are_refused_at_start", |token: &Token| {
        let open = |change: &dyn Fn(&mut custody::Pkcs11Config)| {
            let mut config = token.config();
            change(&mut config);
            Kms::open(&KmsConfig::Pkcs11(config), Clock::system()).map(drop)
        };
        assert!(open(&|_| ()).is_ok(), "positive control");
        let missing = open(&|config| config.module = "/nowhere/module.so".into());
        assert!(matches!(missing, Err(CustodyError::Missing { .. })));
        let garbage = token.tokens().with_extension("so");
        fs::write(&garbage, b"not a library").unwrap();
        assert!(matches!(open(&|config| config.module = garbage.clone()), Err(CustodyError::Malformed { .. })));
        assert!(matches!(open(&|config| config.token = String::new()), Err(CustodyError::Setting { field: "token" })));
        assert!(matches!(open(&|config| config.pin_file = "/nowhere".into()), Err(CustodyError::Missing { .. })));
        let stranger = Kms::open(
            &KmsConfig::Pkcs11(custody::Pkcs11Config { token: "another".into(), ..token.config() }),
            Clock::system(),
        );
        let told = stranger.unwrap().keks(TENANT);
        assert!(matches!(told, Err(CustodyError::Outage { why: Outage::NoToken, .. })), "{told:?}");
    });
}
