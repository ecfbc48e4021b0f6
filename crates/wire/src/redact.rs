//! `Debug` of messages that hold what a capture subject gave us, or a secret: the name and nothing else.
//!
//! The list is the one `build.rs` tells the generator to skip; a message on one list only does not compile.

use crate::v1;
use std::fmt;

macro_rules! redacted {
    ($($message:ident),+ $(,)?) => {$(
        impl fmt::Debug for v1::$message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($message)).finish_non_exhaustive()
            }
        }
    )+};
}

redacted!(
    Action,
    AttemptContext,
    CreateApiKeyResponse,
    CreateChallengeRequest,
    CreateChallengeResponse,
    Consent,
    Decision,
    Display,
    Frame,
    Possession,
    SealedReference,
    WrappedTenantSecrets,
);

#[cfg(test)]
mod tests {
    use crate::v1;

    #[test]
    fn debug_of_a_request_shows_nothing_that_the_capture_subject_gave() {
        let frame = v1::Frame { image: b"planted-frame".to_vec(), ..Default::default() };
        let action = v1::Action { payee: "planted-payee".into(), ..Default::default() };
        let request = v1::VerifyRequest {
            challenge_id: "ch_visible".into(),
            frames: vec![frame],
            action: Some(action),
            ..Default::default()
        };
        let shown = format!("{request:?}");
        assert!(shown.contains("ch_visible"), "positive control: {shown}");
        let bytes = format!("{:?}", b"planted-frame");
        assert!(!shown.contains("planted") && !shown.contains(&bytes[1..20]), "{shown}");
    }
}
