//! Sinks that take, refuse, hang and come back.

use super::*;
use std::{
    fs,
    os::unix::{fs::symlink, net::UnixDatagram},
    path::Path,
};

fn sink(place: SinkPlace, required: bool) -> AuditSink {
    AuditSink::open(SinkConfig { place, required, wait: Duration::from_millis(300) })
}

async fn takes(sink: &AuditSink, line: &str) -> bool {
    sink.take(vec![line.to_owned()]).await.is_ok()
}

fn point(link: &Path, to: &Path) {
    let _absent = fs::remove_file(link);
    symlink(to, link).unwrap();
}

#[tokio::test]
async fn a_file_takes_lines_in_order_and_a_full_one_none_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (path, whole) = (dir.path().join("audit.jsonl"), dir.path().join("whole"));
    point(&path, &whole);
    let sink = sink(SinkPlace::File(path.clone()), true);
    assert!(takes(&sink, "one").await);
    point(&path, Path::new("/dev/full"));
    assert!(!takes(&sink, "lost").await, "positive control: no room");
    point(&path, dir.path());
    assert!(!takes(&sink, "lost").await, "not a file");
    point(&path, &whole);
    assert!(takes(&sink, "two").await, "it comes back by itself");
    assert_eq!(fs::read_to_string(&whole).unwrap(), "one\ntwo\n");
}

#[tokio::test]
async fn a_file_that_hangs_holds_up_one_caller_for_its_deadline_and_others_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (path, pipe, whole) = (dir.path().join("audit.jsonl"), dir.path().join("pipe"), dir.path().join("whole"));
    // A pipe that nobody reads from: opening it waits for ever.
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    point(&path, &pipe);
    let sink = sink(SinkPlace::File(path.clone()), true);
    assert!(!takes(&sink, "late").await);
    let asked = tokio::time::Instant::now();
    assert!(!takes(&sink, "later").await);
    assert!(asked.elapsed() < Duration::from_millis(200), "{:?}", asked.elapsed());
    point(&path, &whole);
    let reader = thread::spawn(move || fs::read_to_string(pipe));
    while !takes(&sink, "back").await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(fs::read_to_string(&whole).unwrap(), "back\n", "it comes back by itself");
    reader.join().unwrap().unwrap();
}

#[tokio::test]
async fn a_sink_that_may_fail_fails_no_request() {
    let sink = sink(SinkPlace::File("/dev/full".into()), false);
    assert!(takes(&sink, "lost").await);
}

#[tokio::test]
async fn syslog_takes_whole_messages_and_one_that_is_gone_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let daemon = UnixDatagram::bind(&path).unwrap();
    let sink = sink(SinkPlace::Syslog(path.clone()), true);
    assert!(takes(&sink, "{\"seq\":1}").await);
    let mut message = [0; 256];
    let length = daemon.recv(&mut message).unwrap();
    let text = std::str::from_utf8(&message[..length]).unwrap();
    assert!(text.starts_with("<109>1 - - countersign ") && text.ends_with(" audit - {\"seq\":1}"), "{text}");
    drop(daemon);
    assert!(!takes(&sink, "lost").await, "positive control: nobody listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_answers_just_when_nobody_waits_any_more_is_not_taken_to_hang_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let place = SinkPlace::File(dir.path().join("audit.jsonl"));
    for round in 0..400_u32 {
        let wait = Duration::from_micros(200 + u64::from(round % 100) * 50);
        let sink = AuditSink::open(SinkConfig { place: place.clone(), required: true, wait });
        takes(&sink, "line").await;
        let gives_up = tokio::time::Instant::now() + Duration::from_secs(5);
        while sink.hangs.load(Ordering::SeqCst) {
            assert!(tokio::time::Instant::now() < gives_up, "round {round}: it wrote and is taken to hang");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
