//! What a rotation asks of the room, and what the room refuses whoever asks.

use super::fixture::Fixture;
use crate::rotation;
use wire::{Reason, v1};

#[test]
fn a_version_is_made_once_and_the_newest_is_never_destroyed() {
    let Some(fixture) = Fixture::new("a_version_is_made_once_and_the_newest_is_never_destroyed") else { return };
    let tenant_id = fixture.tenant(1).id.to_string();
    let make = |newer_than| {
        let request = v1::MakeKekRequest { tenant_id: tenant_id.clone(), newer_than };
        rotation::make_kek(&fixture.room.keys, &request).map(|made| made.kek_version)
    };
    assert_eq!((make(1), make(1), make(2)), (Ok(2), Ok(2), Ok(3)), "a lost answer makes no further version");
    let nobody = v1::MakeKekRequest { tenant_id: tenant_id.replace('1', "2"), newer_than: 0 };
    let made = rotation::make_kek(&fixture.room.keys, &nobody).map(drop);
    assert_eq!(made, Err(Reason::InvalidArgument { field: "tenant_id" }));

    let end = |kek_version, tenant_ends| {
        let request = v1::DestroyKekRequest { tenant_id: tenant_id.clone(), kek_version, tenant_ends };
        rotation::destroy_kek(&fixture.room, &request).map(|gone| gone.provider)
    };
    let destroy = |kek_version| end(kek_version, false);
    let refused = Err(Reason::InvalidArgument { field: "kek_version" });
    assert_eq!((destroy(3), destroy(4), destroy(0)), (refused.clone(), refused.clone(), refused));
    assert_eq!((destroy(1), destroy(1)), (Ok("file".to_owned()), Ok("file".to_owned())), "again is fine");
    let gone = Ok("file".to_owned());
    assert_eq!((end(3, true), end(3, true), end(2, true)), (gone.clone(), gone.clone(), gone), "the tenant ends");
}

#[test]
fn one_row_that_does_not_open_is_named_and_holds_up_no_other() {
    let Some(mut fixture) = Fixture::new("one_row_that_does_not_open_is_named_and_holds_up_no_other") else { return };
    let tenant = fixture.tenant(1);
    let good = fixture.reference(&tenant, "alice");
    let mut bad = fixture.reference(&tenant, "bob");
    bad.epoch += 1;
    fixture.room.keys.kms.make_kek(&tenant.id.to_string()).unwrap();
    let request = v1::RewrapRequest {
        tenant_id: tenant.id.to_string(),
        references: vec![bad.clone(), good.clone()],
        kek_version: 2,
        secrets: Some(tenant.secrets.clone()),
    };
    let answer = rotation::rewrap(&fixture.room.keys, request.clone()).unwrap();
    assert_eq!(answer.not_authentic, [bad.reference_id]);
    let [wrapped] = &answer.references[..] else { panic!("one opens") };
    assert_eq!((wrapped.reference_id.as_str(), wrapped.kek_version), (good.reference_id.as_str(), 2));
    assert_eq!(answer.secrets.map(|secrets| secrets.kek_version), Some(2));

    let many = v1::RewrapRequest { references: vec![good; 1025], ..request };
    let refused = rotation::rewrap(&fixture.room.keys, many).map(drop);
    assert_eq!(refused, Err(Reason::InvalidArgument { field: "references" }));
}
