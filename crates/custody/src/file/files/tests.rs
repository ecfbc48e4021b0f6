//! Tests of `files`.

use super::*;

#[test]
fn creating_never_overwrites_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    create(&path, b"first").unwrap();
    assert!(matches!(create(&path, b"second"), Err(CustodyError::Exists { .. })));
    assert_eq!(&**read(&path, 16).unwrap().unwrap(), b"first");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_create_that_fails_names_the_path_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none").join("key");
    let Err(CustodyError::Unavailable { path, .. }) = create(&missing, b"key") else { panic!("made a file nowhere") };
    assert!(path.starts_with(dir.path().join("none")));
}

#[test]
fn destroying_overwrites_the_bytes_before_the_name_goes() {
    let dir = tempfile::tempdir().unwrap();
    let (path, witness) = (dir.path().join("key"), dir.path().join("witness"));
    create(&path, b"secret").unwrap();
    fs::hard_link(&path, &witness).unwrap();
    destroy(&path).unwrap();
    assert_eq!(fs::read(&witness).unwrap(), [0; 6], "seen through a second link");
    assert_eq!(read(&path, 6).unwrap(), None);
    destroy(&path).unwrap();
}

#[test]
fn reading_stops_at_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    create(&path, &[1; 33]).unwrap();
    assert!(matches!(read(&path, 32), Err(CustodyError::Malformed { .. })));
    assert_eq!(read(&path, 33).unwrap().unwrap().len(), 33);
}
