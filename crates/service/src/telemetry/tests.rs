//! Secrets logged by mistake, through a real subscriber, do not come out; with the net away they do.

use super::*;
use std::{
    io::Write,
    sync::{Arc, Mutex},
};

/// A place for lines that a test can read.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

const API_KEY: &str = "cs_live_0123456789abcdef_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const CAPTURE_TOKEN: &str = "cst_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const RECEIPT: &str = "eyJhbGciOiJFZERTQSJ9.eyJqdGkiOiJyY18ifQ.c2lnbmF0dXJl";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----";

fn secrets_by_mistake() {
    let span = tracing::info_span!("request", header = format!("Bearer {API_KEY}"));
    let _entered = span.enter();
    let frame = vec![7_u8; 64];
    let features = vec![0.125_f32; 128];
    tracing::info!(token = CAPTURE_TOKEN, receipt = RECEIPT, "answered {API_KEY}");
    tracing::info!(?frame, ?features, base64 = "QUJD".repeat(40), "frames");
    tracing::info!("{KEY}");
}

const PLANTED: [&str; 8] = [
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "cs_live_",
    "cst_",
    "eyJ",
    "MC4CAQAwBQYDK2VwBCIEIA",
    "QUJDQUJDQUJD",
    "7, 7, 7, 7",
    "0.125, 0.125",
];

#[test]
fn a_secret_logged_by_mistake_does_not_come_out() {
    for format in [LogFormat::Json, LogFormat::Text] {
        let lines = Lines::default();
        let writer = lines.clone();
        let builder = fmt().with_writer(move || Redacting::new(writer.clone())).with_ansi(false);
        match format {
            LogFormat::Json => tracing::subscriber::with_default(builder.json().finish(), secrets_by_mistake),
            LogFormat::Text => tracing::subscriber::with_default(builder.finish(), secrets_by_mistake),
        }
        let text = lines.text();
        assert!(text.contains("answered [redacted]") && text.contains("[redacted]"), "{text}");
        for planted in PLANTED {
            assert!(!text.contains(planted), "{planted} in {text}");
        }
    }
}

#[test]
fn without_the_net_every_planted_secret_is_found() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, secrets_by_mistake);
    for planted in PLANTED {
        assert!(lines.text().contains(planted), "{planted}");
    }
}

#[test]
fn what_operators_need_stays() {
    for line in [
        r#"{"level":"INFO","id":"0123456789abcdef0123456789abcdef","route":"/countersign.v1.VerificationService/Verify"}"#,
        "sha256=5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        "challenge ch_00000000000000000000000000000007 attempt=1 ms=12",
        "gates [1, 2, 3, 4, 5]",
        "cs_live_ keys are for production",
        "a file: /srv/countersign/deploy/pack/base/models/detector/model.onnx is missing",
        "Grüße, 日本",
    ] {
        assert_eq!(redact(line), line);
    }
}

#[test]
fn metrics_have_one_recorder_and_a_second_call_gets_it() {
    let handle = metrics_handle().unwrap();
    metrics::counter!("service_test_total").increment(3);
    assert!(metrics_handle().unwrap().render().contains("service_test_total 3"));
    metrics::histogram!("service_test_seconds").record(0.2);
    assert!(handle.render().contains("service_test_seconds_bucket{le=\"0.25\"} 1"));
}

#[test]
fn a_filter_that_does_not_read_is_refused() {
    let config = TelemetryConfig { filter: "gateway=loud".to_owned(), ..TelemetryConfig::default() };
    assert!(matches!(init(&config), Err(TelemetryError::Filter(_))));
}

proptest::proptest! {
    #[test]
    fn redacting_never_panics(line in ".{0,80}") {
        let _ = redact(&line);
    }
}
