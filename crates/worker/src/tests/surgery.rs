//! Rows moved, swapped and edited: what was sealed for one place opens at no other. And what may move: rewraps, renewals.

use super::fixture::{Fixture, OWNER, Tenant, capture};
use crate::{
    references::{self, Owner, Stored},
    renewal, tenant_secrets,
};
use biometrics::Features;
use wire::{Reason, v1};

/// Something done to a row.
type Edit<'a> = &'a dyn Fn(&mut v1::SealedReference);

#[test]
fn a_reference_swapped_between_users_or_tenants_does_not_open() {
    let Some(mut fixture) = Fixture::new("a_reference_swapped_between_users_or_tenants_does_not_open") else { return };
    let (tenant, other) = (fixture.tenant(1), fixture.tenant(2));
    let reference = fixture.reference(&tenant, "alice");
    for (tenant, user, opens) in [(&tenant, "alice", true), (&tenant, "mallory", false), (&other, "alice", false)] {
        let context = fixture.context(tenant, user);
        let outcome = fixture.verify((context, &reference), capture(&OWNER[1..])).map(|decision| decision.verdict());
        assert_eq!(outcome, if opens { Ok(v1::Verdict::Accept) } else { Err(Reason::DataLoss) });
    }
}

#[test]
fn every_edited_field_of_a_row_is_noticed() {
    let Some(mut fixture) = Fixture::new("every_edited_field_of_a_row_is_noticed") else { return };
    let tenant = fixture.tenant(1);
    let (good, second) = (fixture.reference(&tenant, "alice"), fixture.reference(&tenant, "alice"));
    let last = good.ciphertext.len() - 1;
    let edits: [(&str, Edit<'_>, Reason); 10] = [
        ("ciphertext bit", &|row| row.ciphertext[last] ^= 1, Reason::DataLoss),
        ("ciphertext of another reference", &|row| row.ciphertext = second.ciphertext.clone(), Reason::DataLoss),
        ("DEK of another reference", &|row| row.wrapped_dek = second.wrapped_dek.clone(), Reason::DataLoss),
        ("commitment", &|row| row.commitment[0] ^= 1, Reason::DataLoss),
        ("epoch", &|row| row.epoch += 1, Reason::DataLoss),
        ("id", &|row| row.reference_id = second.reference_id.clone(), Reason::DataLoss),
        ("KEK version", &|row| row.kek_version += 1, Reason::DataLoss),
        ("feature space", &|row| row.feature_space.push('x'), Reason::FeatureSpace),
        ("readable transform version", &|row| row.transform_version = 1, Reason::DataLoss),
        ("unknown transform version", &|row| row.transform_version += 1, Reason::FeatureSpace),
    ];
    for (what, edit, reason) in edits {
        let mut row = good.clone();
        edit(&mut row);
        let context = fixture.context(&tenant, "alice");
        assert_eq!(fixture.verify((context, &row), capture(&OWNER[1..])).map(drop), Err(reason), "{what}");
    }
    let context = fixture.context(&tenant, "alice");
    assert!(fixture.verify((context, &good), capture(&OWNER[1..])).is_ok(), "positive control");
}

#[test]
fn a_reference_that_the_first_transform_left_with_its_length_opens_and_matches() {
    let test = "a_reference_that_the_first_transform_left_with_its_length_opens_and_matches";
    let Some(mut fixture) = Fixture::new(test) else { return };
    let tenant = fixture.tenant(1);
    let user = "alice".parse().unwrap();
    let row = fixture.reference(&tenant, "alice");
    let feature_space = row.feature_space.clone();
    let owner = Owner { tenant: tenant.id, user: &user, feature_space: &feature_space };
    let stored = Stored::check(row, owner.feature_space).unwrap();
    let unit = stored.open(&fixture.room.keys, owner).unwrap();
    let long: Vec<u8> = unit.as_slice().iter().flat_map(|x| (1.5 * x).to_le_bytes()).collect();
    let long = Features::from_le_bytes(&long).unwrap();
    let place = (stored.id, stored.epoch());
    let (old, _) = references::seal_transformed(&fixture.room.keys, owner, place, (&long, 1)).unwrap();
    assert_eq!(old.transform_version, 1);
    let context = fixture.context(&tenant, "alice");
    let verdict = fixture.verify((context, &old), capture(&OWNER[1..])).map(|decision| decision.verdict());
    assert_eq!(verdict, Ok(v1::Verdict::Accept));
}

#[test]
fn secrets_of_another_tenant_do_not_open() {
    let Some(mut fixture) = Fixture::new("secrets_of_another_tenant_do_not_open") else { return };
    let (tenant, other) = (fixture.tenant(1), fixture.tenant(2));
    let context = v1::AttemptContext { secrets: Some(other.secrets), ..fixture.context(&tenant, "alice") };
    assert_eq!(fixture.enroll(context, capture(&OWNER[..1])).map(drop), Err(Reason::DataLoss));
    let swapped = v1::WrappedTenantSecrets {
        transform_key: tenant.secrets.pseudonym_key.clone(),
        pseudonym_key: tenant.secrets.transform_key.clone(),
        ..tenant.secrets.clone()
    };
    let context = v1::AttemptContext { secrets: Some(swapped), ..fixture.context(&tenant, "alice") };
    assert_eq!(fixture.enroll(context, capture(&OWNER[..1])).map(drop), Err(Reason::DataLoss));
}

#[test]
fn a_rewrapped_reference_opens_after_the_old_key_is_destroyed() {
    let Some(mut fixture) = Fixture::new("a_rewrapped_reference_opens_after_the_old_key_is_destroyed") else { return };
    let tenant = fixture.tenant(1);
    let name = tenant.id.to_string();
    let old = fixture.reference(&tenant, "alice");
    fixture.room.keys.kms.make_kek(&name).unwrap();
    let new = references::rewrap(&mut fixture.room.keys.kms.batch(&name), (&name, 2), old.clone()).unwrap();
    assert!(new.ciphertext.is_empty(), "it stays where it is");
    let new = v1::SealedReference { ciphertext: old.ciphertext.clone(), ..new };
    assert_eq!((old.kek_version, new.kek_version), (1, 2));
    assert_eq!((&old.ciphertext, &old.commitment), (&new.ciphertext, &new.commitment));
    let context = fixture.context(&tenant, "alice");
    assert!(fixture.verify((context, &new), capture(&OWNER[1..])).is_ok());

    // Secrets wrapped by the new version, as a rotation leaves them.
    let secrets = tenant_secrets::rewrap(&fixture.room.keys, (tenant.id, 2), &tenant.secrets).unwrap();
    let renewed = Tenant { id: tenant.id, secrets };
    fixture.room.keys.kms.destroy_kek(custody::KekRef { tenant: &name, version: 1 }).unwrap();
    let context = fixture.context(&renewed, "alice");
    let outcome = fixture.verify((context, &old), capture(&OWNER[1..])).map(drop);
    assert_eq!(outcome, Err(Reason::DataLoss), "what only the destroyed key opens is gone");
}

#[test]
fn a_renewed_reference_decides_as_before_and_looks_like_another() {
    let Some(mut fixture) = Fixture::new("a_renewed_reference_decides_as_before_and_looks_like_another") else {
        return;
    };
    let tenant = fixture.tenant(1);
    let old = fixture.reference(&tenant, "alice");
    let request = v1::RenewRequest {
        tenant_id: tenant.id.to_string(),
        user_id: "alice".into(),
        reference: Some(old.clone()),
        secrets: Some(tenant.secrets.clone()),
        new_secrets: None,
    };
    let new = renewal::renew(&fixture.room, request.clone()).unwrap();
    assert_eq!((new.epoch, &new.reference_id), (2, &old.reference_id));
    assert_ne!(new.commitment, old.commitment);
    assert_ne!(new.ciphertext, old.ciphertext);
    let context = fixture.context(&tenant, "alice");
    let owner = fixture.verify((context.clone(), &new), capture(&OWNER[1..])).unwrap();
    assert_eq!(owner.verdict(), v1::Verdict::Accept);
    let mixed = v1::SealedReference { epoch: old.epoch, ..new };
    assert_eq!(fixture.verify((context.clone(), &mixed), capture(&OWNER[1..])).map(drop), Err(Reason::DataLoss));

    let fresh = tenant_secrets::make(&fixture.room.keys, tenant.id).unwrap();
    let request = v1::RenewRequest { new_secrets: Some(fresh.clone()), ..request };
    let anew = renewal::renew(&fixture.room, request).unwrap();
    let with = |secrets| v1::AttemptContext { secrets: Some(secrets), ..context.clone() };
    let by_new = v1::WrappedTenantSecrets { pseudonym_key: tenant.secrets.pseudonym_key.clone(), ..fresh };
    let owner = fixture.verify((with(by_new), &anew), capture(&OWNER[1..])).unwrap();
    assert_eq!(owner.verdict(), v1::Verdict::Accept, "laid out by the new transform key");
    let former = fixture.verify((with(tenant.secrets.clone()), &anew), capture(&OWNER[1..])).unwrap();
    assert_eq!(former.verdict(), v1::Verdict::Refuse, "and by no other");
}
