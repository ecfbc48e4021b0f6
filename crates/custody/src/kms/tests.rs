//! Tests of `kms` over files. What every provider keeps is tested in `tests/contract`.

use super::*;
use crate::file::files;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

const TENANT: &str = "tn_00000000000000000000000000000007";

struct Desk {
    _temp: tempfile::TempDir,
    /// Where KEKs lie.
    dir: PathBuf,
    kms: Kms,
}

fn desk() -> Desk {
    let temp = tempfile::tempdir().unwrap();
    let directory = temp.path().join("keys");
    files::create_dir(&directory).unwrap();
    Kms::make_room_for_keks(&directory).unwrap();
    Desk { kms: open(&directory).unwrap(), dir: directory.join("keks"), _temp: temp }
}

fn open(directory: &Path) -> Result<Kms, CustodyError> {
    Kms::open(&KmsConfig::File { directory: directory.to_owned() }, Clock::manual(1_800_000_000_000))
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const fn kek(version: u32) -> KekRef<'static> {
    KekRef { tenant: TENANT, version }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn wrapped_keys_open_only_under_their_kek_and_associated_data() {
    let Desk { kms, _temp, .. } = desk();
    assert_eq!((kms.make_kek(TENANT).unwrap(), kms.make_kek(TENANT).unwrap()), (1, 2));
    assert_eq!(kms.make_kek("other").unwrap(), 1);
    let wrapped = kms.wrap(kek(1), b"secret", b"place").unwrap();
    assert_eq!(&**kms.unwrap(kek(1), &wrapped, b"place").unwrap(), b"secret");
    let other = KekRef { tenant: "other", version: 1 };
    for (kek, aad) in [(kek(1), b"plaice".as_slice()), (kek(1), b""), (kek(2), b"place"), (other, b"place")] {
        assert!(matches!(kms.unwrap(kek, &wrapped, aad), Err(CustodyError::NotAuthentic)), "{kek:?}");
    }
}

#[test]
fn a_wrapped_key_with_any_bit_flipped_or_byte_missing_does_not_open() {
    let Desk { kms, _temp, .. } = desk();
    kms.make_kek(TENANT).unwrap();
    let wrapped = kms.wrap(kek(1), &[7; 32], b"place").unwrap();
    for bit in 0..wrapped.len() * 8 {
        let mut flipped = wrapped.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let refused = kms.unwrap(kek(1), &flipped, b"place");
        let elsewhere = bit < 8 && matches!(refused, Err(CustodyError::WrappedElsewhere));
        assert!(elsewhere || matches!(refused, Err(CustodyError::NotAuthentic)), "bit {bit}");
    }
    for length in 0..wrapped.len() {
        assert!(kms.unwrap(kek(1), &wrapped[..length], b"place").is_err(), "{length} bytes");
    }
}

#[test]
fn the_same_secret_never_wraps_to_the_same_bytes() {
    let Desk { kms, _temp, .. } = desk();
    kms.make_kek(TENANT).unwrap();
    assert_ne!(kms.wrap(kek(1), b"secret", b"").unwrap(), kms.wrap(kek(1), b"secret", b"").unwrap());
}

#[test]
fn another_tenant_or_version_is_other_associated_data() {
    let names = [kek(1), kek(2), KekRef { tenant: "other", version: 1 }];
    let bound: Vec<_> = names.iter().map(|name| bind(*name, b"place")).collect();
    assert_ne!(bound[0], bound[1]);
    assert_ne!(bound[0], bound[2]);
    assert_ne!(bind(KekRef { tenant: "ab", version: 1 }, b"c"), bind(KekRef { tenant: "a", version: 1 }, b"bc"));
}

#[test]
fn a_destroyed_version_is_gone_and_its_number_is_not_used_again() {
    let Desk { kms, dir, _temp } = desk();
    kms.make_kek(TENANT).unwrap();
    let wrapped = kms.wrap(kek(1), b"secret", b"").unwrap();
    kms.destroy_kek(kek(1)).unwrap();
    kms.destroy_kek(kek(1)).unwrap();
    assert!(matches!(kms.unwrap(kek(1), &wrapped, b""), Err(CustodyError::Destroyed)));
    assert!(matches!(kms.current_kek(TENANT), Err(CustodyError::Destroyed)));
    assert!(!dir.join(TENANT).join("1.kek").exists());
    assert_eq!(kms.make_kek(TENANT).unwrap(), 2);
    assert_eq!(kms.current_kek(TENANT).unwrap(), 2);
}

#[test]
fn destroying_one_version_leaves_the_others() {
    let Desk { kms, _temp, .. } = desk();
    kms.make_kek(TENANT).unwrap();
    kms.make_kek(TENANT).unwrap();
    let wrapped = kms.wrap(kek(1), b"secret", b"").unwrap();
    kms.destroy_kek(kek(2)).unwrap();
    assert_eq!(kms.current_kek(TENANT).unwrap(), 1);
    assert!(kms.unwrap(kek(1), &wrapped, b"").is_ok());
}

#[test]
fn a_destruction_cut_short_after_its_marker_is_finished_at_the_next_open() {
    let Desk { kms, dir, _temp } = desk();
    kms.make_kek(TENANT).unwrap();
    files::create(&dir.join(TENANT).join("1.destroyed"), b"").unwrap();
    assert!(matches!(kms.wrap(kek(1), b"", b""), Err(CustodyError::Destroyed)), "of no use from the marker on");
    assert!(dir.join(TENANT).join("1.kek").exists());
    open(dir.parent().unwrap()).unwrap();
    assert!(!dir.join(TENANT).join("1.kek").exists());
}

#[test]
fn temporary_files_of_a_crash_are_swept_and_the_key_beside_them_survives() {
    let Desk { kms, dir, _temp } = desk();
    kms.make_kek(TENANT).unwrap();
    let wrapped = kms.wrap(kek(1), b"secret", b"").unwrap();
    let tenant = dir.join(TENANT);
    // Died before the link, and died between the link and the removal of the temporary name.
    fs::write(tenant.join(".making-a"), [1; 72]).unwrap();
    fs::hard_link(tenant.join("1.kek"), tenant.join(".making-b")).unwrap();
    assert_eq!(kms.make_kek(TENANT).unwrap(), 2);
    assert_eq!(names(&tenant), ["1.kek", "1.uses", "2.kek"]);
    assert_eq!(&**kms.unwrap(kek(1), &wrapped, b"").unwrap(), b"secret");
}

#[test]
fn unknown_tenants_and_versions_are_no_such_key() {
    let Desk { kms, _temp, .. } = desk();
    assert!(matches!(kms.current_kek(TENANT), Err(CustodyError::NoSuchKey)));
    assert!(matches!(kms.wrap(kek(1), b"", b""), Err(CustodyError::NoSuchKey)));
    assert!(matches!(kms.destroy_kek(kek(1)), Err(CustodyError::NoSuchKey)));
    for tenant in ["", ".", "..", "a/b", "a.b", "ä", &"x".repeat(65)] {
        assert!(matches!(kms.make_kek(tenant), Err(CustodyError::TenantName)), "{tenant}");
        assert!(matches!(kms.wrap(KekRef { tenant, version: 1 }, b"", b""), Err(CustodyError::TenantName)));
    }
}

#[test]
fn keys_and_directories_that_others_may_read_are_refused() {
    let Desk { kms, dir, _temp } = desk();
    kms.make_kek(TENANT).unwrap();
    let key = dir.join(TENANT).join("1.kek");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o620, 0o601, 0o700] {
        chmod(&key, mode);
        assert!(matches!(kms.wrap(kek(1), b"", b""), Err(CustodyError::Permissions { .. })), "{mode:o}");
    }
    chmod(&key, 0o400);
    assert!(kms.wrap(kek(1), b"", b"").is_ok(), "stricter is fine");
    for mode in [0o750, 0o705, 0o710] {
        chmod(&dir, mode);
        assert!(matches!(open(dir.parent().unwrap()), Err(CustodyError::Permissions { .. })), "{mode:o}");
    }
}

#[test]
fn a_linked_key_is_refused() {
    let Desk { kms, dir, _temp } = desk();
    kms.make_kek(TENANT).unwrap();
    let key = dir.join(TENANT).join("1.kek");
    fs::rename(&key, dir.join("elsewhere")).unwrap();
    symlink(dir.join("elsewhere"), &key).unwrap();
    assert!(matches!(kms.wrap(kek(1), b"", b""), Err(CustodyError::Permissions { .. })));
}

#[test]
fn a_changed_cut_or_moved_key_file_is_refused() {
    let Desk { kms, dir, _temp } = desk();
    kms.make_kek(TENANT).unwrap();
    kms.make_kek(TENANT).unwrap();
    kms.make_kek("other").unwrap();
    let key = dir.join(TENANT).join("1.kek");
    let content = fs::read(&key).unwrap();
    let malformed = || matches!(kms.wrap(kek(1), b"", b""), Err(CustodyError::Malformed { .. }));
    for at in 0..content.len() {
        let mut changed = content.clone();
        changed[at] ^= 1;
        fs::write(&key, &changed).unwrap();
        assert!(malformed(), "byte {at}");
    }
    for changed in [&content[..71], &[&content[..], b"\0"].concat(), b""] {
        fs::write(&key, changed).unwrap();
        assert!(malformed());
    }
    for other in [dir.join(TENANT).join("2.kek"), dir.join("other").join("1.kek")] {
        fs::copy(other, &key).unwrap();
        assert!(malformed(), "moved from elsewhere");
    }
    fs::write(&key, &content).unwrap();
    assert!(kms.wrap(kek(1), b"", b"").is_ok(), "the positive control");
}

#[test]
fn a_directory_is_made_once_and_only_one_of_ours_is_opened() {
    let Desk { dir, _temp, .. } = desk();
    let keys = dir.parent().unwrap();
    assert!(matches!(Kms::make_room_for_keks(keys), Err(CustodyError::Exists { .. })));
    assert!(open(keys).is_ok());
    let stranger = tempfile::tempdir().unwrap();
    chmod(stranger.path(), 0o700);
    files::create_dir(&stranger.path().join("keks")).unwrap();
    assert!(matches!(open(stranger.path()), Err(CustodyError::Malformed { .. })));
    assert!(matches!(open(&dir.join("none")), Err(CustodyError::Unavailable { .. })));
    let Desk { kms, dir, _temp } = desk();
    fs::remove_dir_all(&dir).unwrap();
    assert!(matches!(kms.probe_keks(), Ok(())), "an unknown tenant's directory is no error");
    assert!(matches!(open(dir.parent().unwrap()).unwrap().probe_keks(), Err(CustodyError::Missing { .. })));
}

#[test]
fn an_empty_marker_of_an_earlier_release_still_tells_that_its_key_is_gone() {
    let Desk { kms, dir, _temp } = desk();
    kms.make_kek(TENANT).unwrap();
    files::create(&dir.join(TENANT).join("1.destroyed"), b"").unwrap();
    let seen = kms.keks(TENANT).unwrap()[0];
    assert!(seen.destroyed_at_s.is_some() && seen.made_at_s.is_none());
    assert!(kms.destroy_kek(kek(1)).is_ok());
    assert!(!dir.join(TENANT).join("1.kek").exists());
}

#[test]
fn what_an_earlier_release_wrapped_opens_forever() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../../../tests/vectors/kek-wrap.json")).unwrap();
    for vector in vectors["file/1"].as_array().unwrap() {
        let field = |name: &str| hex(vector[name].as_str().unwrap());
        let (tenant, version) = (vector["tenant"].as_str().unwrap(), vector["version"].as_u64().unwrap() as u32);
        let Desk { dir, _temp, .. } = desk();
        files::create_dir(&dir.join(tenant)).unwrap();
        files::create(&dir.join(tenant).join(format!("{version}.kek")), &field("kek_file")).unwrap();
        let kms = open(dir.parent().unwrap()).unwrap();
        let kek = KekRef { tenant, version };
        assert_eq!(&**kms.unwrap(kek, &field("wrapped"), &field("aad")).unwrap(), field("plaintext"));
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn racing_makers_get_different_versions() {
    let Desk { kms, _temp, .. } = desk();
    let mut made: Vec<u32> = std::thread::scope(|scope| {
        let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| kms.make_kek(TENANT).unwrap())).collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    });
    made.sort_unstable();
    assert_eq!(made, (1..=8).collect::<Vec<_>>());
}
