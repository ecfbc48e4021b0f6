//! References: transformed and sealed here, opened here, in the clear nowhere else.
//!
//! Must never know: pixels, the decision. Invariants: what was sealed for one tenant, user, reference, epoch and feature space
//! opens for nothing else; features leave this module only transformed, or sealed.

use crate::keys::{Keys, custody_reason};
use biometrics::{Features, KeyedTransform, ReferenceId, TenantId, TransformKey, UserId, transform};
use custody::{Batch, KekRef, Place};
use receipt::RefClaim;
use seal::{DataKey, DekPlace, ReferencePlace};
use wire::{Reason, convert, v1};

/// Layout of the sealed plaintext: the features' components, IEEE 754 single precision, little endian.
const SCHEMA: u32 = 1;

/// Whose reference, and in which feature space.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    /// The tenant.
    pub(crate) tenant: TenantId,
    /// The capture subject as the tenant names them.
    pub(crate) user: &'a UserId,
    /// What may be compared with what.
    pub(crate) feature_space: &'a str,
}

/// A stored reference whose form was checked; still sealed.
pub(crate) struct Stored {
    /// Its id.
    pub(crate) id: ReferenceId,
    commitment: [u8; 32],
    row: v1::SealedReference,
}

impl Stored {
    /// Checks the row that the gateway sent.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the field; `FEATURE_SPACE` where it cannot be compared with what this worker extracts.
    pub(crate) fn check(row: v1::SealedReference, feature_space: &str) -> Result<Self, Reason> {
        let id = convert::parsed(&row.reference_id, "reference_id")?;
        let commitment = convert::fixed(&row.commitment, "commitment")?;
        if row.feature_space != feature_space
            || !transform::READABLE.contains(&row.transform_version)
            || row.schema != SCHEMA
        {
            return Err(Reason::FeatureSpace);
        }
        Ok(Self { id, commitment, row })
    }

    /// Which renewal of the reference this is.
    pub(crate) const fn epoch(&self) -> u32 {
        self.row.epoch
    }

    /// How a receipt names it.
    pub(crate) fn claim(&self) -> RefClaim {
        RefClaim { id: self.id, epoch: self.row.epoch, commitment: receipt::base64url(&self.commitment) }
    }

    /// Opens the reference: features in the transformed space of its id and epoch.
    ///
    /// # Errors
    /// `DATA_LOSS` where key or ciphertext do not authenticate for this owner, `UNAVAILABLE_KMS`.
    pub(crate) fn open(&self, keys: &Keys, owner: Owner<'_>) -> Result<Features, Reason> {
        let key = unwrap_data_key(keys, owner.tenant, (self.id, &self.commitment), &self.row)?;
        let names = Names::of(owner, self.id);
        let place = names.place(owner, (self.row.epoch, self.row.transform_version));
        let plaintext = seal::open_reference(&key, &place, &self.commitment, &self.row.ciphertext)
            .map_err(|_| not_authentic("reference"))?;
        Features::from_le_bytes(&plaintext).map_err(|_| not_authentic("features"))
    }
}

/// Transforms and seals features as a new reference of epoch 1.
///
/// # Errors
/// `UNAVAILABLE_KMS`, `INTERNAL`.
pub(crate) fn seal_new(
    keys: &Keys,
    owner: Owner<'_>,
    key: &TransformKey,
    features: &Features,
) -> Result<(v1::SealedReference, RefClaim), Reason> {
    let id = ReferenceId::new(keys.make_uuid()?);
    seal(keys, owner, (id, 1), (key, features))
}

/// Transforms and seals features as the given reference and epoch, under a fresh DEK.
///
/// # Errors
/// As [`seal_new`].
pub(crate) fn seal(
    keys: &Keys,
    owner: Owner<'_>,
    (id, epoch): (ReferenceId, u32),
    (key, features): (&TransformKey, &Features),
) -> Result<(v1::SealedReference, RefClaim), Reason> {
    let transformed = KeyedTransform::derive(key.expose(), owner.tenant, id, epoch).apply(features);
    seal_transformed(keys, owner, (id, epoch), (&transformed, transform::VERSION))
}

/// Seals features that a version of the transform has mapped.
pub(crate) fn seal_transformed(
    keys: &Keys,
    owner: Owner<'_>,
    (id, epoch): (ReferenceId, u32),
    (transformed, transform_version): (&Features, u32),
) -> Result<(v1::SealedReference, RefClaim), Reason> {
    let data_key = DataKey::make(&keys.random).map_err(|_| Reason::Internal)?;
    let commitment = seal::commitment(&data_key);
    let names = Names::of(owner, id);
    let place = names.place(owner, (epoch, transform_version));
    let ciphertext = seal::seal_reference(&data_key, &place, &transformed.to_le_bytes(), &keys.random)
        .map_err(|_| Reason::Internal)?;
    let kek_version = keys.kms.current_kek(&names.tenant).map_err(custody_reason)?;
    let wrapped_dek = wrap_data_key(keys, &names, (epoch, kek_version, &commitment), &data_key)?;
    let claim = RefClaim { id, epoch, commitment: receipt::base64url(&commitment) };
    let sealed = v1::SealedReference {
        reference_id: names.reference,
        epoch,
        feature_space: owner.feature_space.to_owned(),
        transform_version,
        schema: SCHEMA,
        kek_version,
        wrapped_dek,
        ciphertext,
        commitment: commitment.to_vec(),
    };
    Ok((sealed, claim))
}

/// Wraps a reference's DEK with the given KEK version, opening it in custody alone; everything else stays as it is. The ciphertext
/// is no part of it.
///
/// # Errors
/// `INVALID_ARGUMENT`, `DATA_LOSS` where the DEK does not authenticate, `UNAVAILABLE_KMS`.
pub(crate) fn rewrap(
    batch: &mut Batch<'_>,
    (tenant, kek_version): (&str, u32),
    row: v1::SealedReference,
) -> Result<v1::SealedReference, Reason> {
    let id: ReferenceId = convert::parsed(&row.reference_id, "reference_id")?;
    let (reference, commitment) = (id.to_string(), convert::fixed(&row.commitment, "commitment")?);
    let data = |kek_version| {
        let place = DekPlace { tenant, reference: &reference, epoch: row.epoch, kek_version };
        seal::dek_wrap_aad(&place, &commitment)
    };
    let (old, new) = (data(row.kek_version), data(kek_version));
    let from = Place { version: row.kek_version, aad: &old };
    let to = Place { version: kek_version, aad: &new };
    let wrapped_dek = batch.rewrap(from, &row.wrapped_dek, to).map_err(custody_reason)?;
    Ok(v1::SealedReference { kek_version, wrapped_dek, ciphertext: Vec::new(), ..row })
}

fn unwrap_data_key(
    keys: &Keys,
    tenant: TenantId,
    (id, commitment): (ReferenceId, &[u8; 32]),
    row: &v1::SealedReference,
) -> Result<DataKey, Reason> {
    let (tenant, reference) = (tenant.to_string(), id.to_string());
    let place = DekPlace { tenant: &tenant, reference: &reference, epoch: row.epoch, kek_version: row.kek_version };
    let data = seal::dek_wrap_aad(&place, commitment);
    let kek = KekRef { tenant: &tenant, version: row.kek_version };
    let bytes = keys.kms.unwrap(kek, &row.wrapped_dek, &data).map_err(custody_reason)?;
    DataKey::from_bytes(bytes).map_err(|_| not_authentic("data key"))
}

fn wrap_data_key(
    keys: &Keys,
    names: &Names,
    (epoch, kek_version, commitment): (u32, u32, &[u8; 32]),
    key: &DataKey,
) -> Result<Vec<u8>, Reason> {
    let place = DekPlace { tenant: &names.tenant, reference: &names.reference, epoch, kek_version };
    let data = seal::dek_wrap_aad(&place, commitment);
    let kek = KekRef { tenant: &names.tenant, version: kek_version };
    keys.kms.wrap(kek, key.expose(), &data).map_err(custody_reason)
}

fn not_authentic(what: &'static str) -> Reason {
    tracing::error!(what, "a stored envelope does not authenticate");
    metrics::counter!("worker_data_loss_total").increment(1);
    Reason::DataLoss
}

/// Identifiers as text, as associated data takes them.
struct Names {
    tenant: String,
    user: String,
    reference: String,
}

impl Names {
    fn of(owner: Owner<'_>, id: ReferenceId) -> Self {
        Self { tenant: owner.tenant.to_string(), user: owner.user.to_string(), reference: id.to_string() }
    }

    fn place<'a>(&'a self, owner: Owner<'a>, (epoch, transform_version): (u32, u32)) -> ReferencePlace<'a> {
        ReferencePlace {
            tenant: &self.tenant,
            user: &self.user,
            reference: &self.reference,
            epoch,
            feature_space: owner.feature_space,
            transform_version,
            schema: SCHEMA,
        }
    }
}
