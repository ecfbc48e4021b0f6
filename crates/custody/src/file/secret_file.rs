//! Files of one 32-byte secret: peppers and MAC keys.
//!
//! Must never know: what the secret is for. Invariant: exactly 32 raw bytes, mode 0600.

use super::files;
use crate::CustodyError;
use secrecy::SecretBox;
use std::path::Path;

/// A file that holds 32 raw random bytes.
#[derive(Debug, Clone, Copy)]
pub struct SecretFile;

impl SecretFile {
    /// Makes a random secret and its file, which must not exist.
    ///
    /// # Errors
    /// `Exists`, `Randomness`, `Unavailable`.
    pub fn create(path: impl AsRef<Path>) -> Result<SecretBox<[u8; 32]>, CustodyError> {
        let secret = files::random::<32>()?;
        files::create(path.as_ref(), &*secret)?;
        Ok(boxed(&secret))
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// `Missing`, `Permissions`, `Malformed` unless it is 32 bytes long, `Unavailable`.
    pub fn open(path: impl AsRef<Path>) -> Result<SecretBox<[u8; 32]>, CustodyError> {
        let path = path.as_ref();
        let content = files::read(path, 32)?.ok_or_else(|| CustodyError::Missing { path: path.to_owned() })?;
        let secret = content.as_array().ok_or_else(|| CustodyError::Malformed { path: path.to_owned() })?;
        Ok(boxed(secret))
    }
}

fn boxed(secret: &[u8; 32]) -> SecretBox<[u8; 32]> {
    SecretBox::init_with_mut(|inner: &mut [u8; 32]| inner.copy_from_slice(secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::fs;

    #[test]
    fn a_secret_reads_back_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pepper");
        assert!(matches!(SecretFile::open(&path), Err(CustodyError::Missing { .. })));
        let made = SecretFile::create(&path).unwrap();
        assert_eq!(SecretFile::open(&path).unwrap().expose_secret(), made.expose_secret());
        assert!(matches!(SecretFile::create(&path), Err(CustodyError::Exists { .. })));
        assert_eq!(SecretFile::open(&path).unwrap().expose_secret(), made.expose_secret());
    }

    #[test]
    fn a_secret_of_another_length_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for length in [0, 31, 33] {
            let path = dir.path().join(length.to_string());
            files::create(&path, &vec![1; length]).unwrap();
            assert!(matches!(SecretFile::open(&path), Err(CustodyError::Malformed { .. })), "{length}");
        }
    }

    #[test]
    fn secrets_differ() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (SecretFile::create(dir.path().join("a")), SecretFile::create(dir.path().join("b")));
        assert_ne!(a.unwrap().expose_secret(), b.unwrap().expose_secret());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "no temporary file stays");
    }
}
