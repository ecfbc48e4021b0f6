//! Objects on the token: found by class and label, told apart by an id of version, time and chance.
//!
//! Must never know: what they are for. Invariant: that there are none is said only by a token that is there.

use super::{fault::Fault, token::Open};
use crate::file::files;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};

/// CKA_ID of a key: version ‖ time of making ‖ four random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) version: u32,
    pub(super) made_at_s: i64,
    chance: [u8; 4],
}

impl Id {
    pub(super) fn make(version: u32, made_at_s: i64) -> Result<Self, Fault> {
        Ok(Self { version, made_at_s, chance: *files::random::<4>()? })
    }

    pub(super) fn encode(self) -> Vec<u8> {
        [&self.version.to_be_bytes()[..], &self.made_at_s.to_be_bytes(), &self.chance].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first_chunk::<4>()?;
        let (made, chance) = rest.split_first_chunk::<8>()?;
        Some(Self {
            version: u32::from_be_bytes(*version),
            made_at_s: i64::from_be_bytes(*made),
            chance: *chance.as_array()?,
        })
    }
}

/// Every object of a class and label on the token.
pub(super) fn find(open: &Open, class: ObjectClass, label: &str) -> Result<Vec<ObjectHandle>, Fault> {
    let template = [Attribute::Class(class), Attribute::Token(true), Attribute::Label(label.as_bytes().to_vec())];
    let found = open.session.find_objects(&template)?;
    if found.is_empty() {
        open.confirm()?;
    }
    Ok(found)
}

/// Keys of a class and label with their ids, in order. An object of another making is passed over.
pub(super) fn keys(open: &Open, class: ObjectClass, label: &str) -> Result<Vec<(Id, ObjectHandle)>, Fault> {
    let mut keys = Vec::new();
    for object in find(open, class, label)? {
        let id =
            open.session.get_attributes(object, &[AttributeType::Id])?.into_iter().find_map(
                |attribute| match attribute {
                    Attribute::Id(id) => Id::decode(&id),
                    _ => None,
                },
            );
        keys.extend(id.map(|id| (id, object)));
    }
    keys.sort_by_key(|(id, _)| *id);
    Ok(keys)
}

/// Data objects of a label with their values.
pub(super) fn notes(open: &Open, label: &str) -> Result<Vec<(ObjectHandle, Vec<u8>)>, Fault> {
    let mut notes = Vec::new();
    for object in find(open, ObjectClass::DATA, label)? {
        let value = open.session.get_attributes(object, &[AttributeType::Value])?.into_iter().find_map(|attribute| {
            match attribute {
                Attribute::Value(value) => Some(value),
                _ => None,
            }
        });
        notes.extend(value.map(|value| (object, value)));
    }
    Ok(notes)
}

/// Writes a data object.
pub(super) fn note(open: &Open, label: &str, value: Vec<u8>) -> Result<(), Fault> {
    open.session.create_object(&[
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Application(b"countersign".to_vec()),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Value(value),
    ])?;
    Ok(())
}
