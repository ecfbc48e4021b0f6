//! A copy beside whoever writes: whole, of one moment, private, and without what must stay out.

use super::*;
use crate::{SqliteConfig, StoreConfig};
use std::os::unix::fs::PermissionsExt as _;

#[tokio::test]
async fn a_copy_opens_as_the_database_of_one_moment_without_what_is_left_out() {
    let f = Fixture::on(ENGINE).await;
    f.enroll("alice", 1).await;
    let candidate = crate::Candidate { task: "jobs", holder: make_id().unwrap(), lease_ms: 60_000 };
    assert!(f.store.lead(candidate).await.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    let copied = f.store.back_up(&to).await.unwrap();
    f.enroll("bob", 2).await;
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    let rows = |name: &str| copied.tables.iter().find(|(table, _)| table == name).map(|(_, rows)| *rows);
    assert_eq!((rows("sealed_references"), rows("leaders"), rows("tenants")), (Some(1), Some(0), Some(1)));

    let store = Store::open(StoreConfig::from(SqliteConfig::at(&to))).await.unwrap();
    let head = |chain| matches!(chain, crate::Chain::Intact { entries, .. } if entries > 0);
    assert!(head(store.verify_audit(f.tenant).await.unwrap()), "the audit came along");
    let alice = store.reference(f.tenant, &user("alice")).await.unwrap().unwrap();
    assert_eq!(alice.ciphertext, sealed(1).ciphertext);
    assert!(store.reference(f.tenant, &user("bob")).await.unwrap().is_none(), "later than the moment");
    let other = crate::Candidate { holder: make_id().unwrap(), ..candidate };
    assert!(store.lead(other).await.unwrap(), "no lease of a process that is elsewhere");
    store.close().await;
}

#[tokio::test]
async fn a_copy_takes_nobodys_place_and_leaves_no_half_of_itself() {
    let f = Fixture::on(ENGINE).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    std::fs::write(&to, b"somebody's").unwrap();
    assert!(matches!(f.store.back_up(&to).await, Err(StoreError::File { .. })));
    assert_eq!(std::fs::read(&to).unwrap(), b"somebody's");
    let nowhere = folder.path().join("nowhere/copy.db");
    assert!(matches!(f.store.back_up(&nowhere).await, Err(StoreError::File { .. })));
}
