//! Whom the http executor believes, and as whom it speaks: TLS settings of a job.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;

use super::trust::Verifier;
use crate::adapters::executor::error_text;
use crate::limits;

/// How long settings are used before all files are read again: the system's certificates have no
/// one file to watch.
const AGE_MAX: Duration = Duration::from_secs(3600);

/// The settings as the job has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TlsKeys {
    /// The server is believed whatever its certificate says.
    pub(super) is_peer_trusted: bool,
    /// Certificates to show to the server, in PEM.
    pub(super) certificate: Option<PathBuf>,
    /// The key of the first of them.
    pub(super) key: Option<PathBuf>,
    /// Whom to believe instead of the system's authorities, in PEM.
    pub(super) roots: Option<PathBuf>,
}

impl TlsKeys {
    /// Returns whether the job says nothing about TLS.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Tells one content of a file from another: time of change, size, and number of the file.
type Stamp = Option<(i64, i64, u64, u64)>;

/// Settings as the job has them, and their files as they are now.
type ReadyKey = (TlsKeys, [Stamp; 3]);

/// Settings that were made ready, and when.
type Ready = BTreeMap<ReadyKey, (Instant, TlsConfig)>;

/// Settings made ready, and what was wrong with their files.
#[derive(Clone)]
pub(super) struct TlsConfig {
    pub(super) client: Arc<ClientConfig>,
    /// A line for each thing that was wrong.
    pub(super) warnings: String,
}

/// Keeps settings that were made ready, for as long as their files do not change.
#[derive(Default)]
pub(super) struct TlsConfigs {
    ready: Mutex<Ready>,
}

impl TlsConfigs {
    /// Returns the settings, read from their files if those have changed. Blocks on the disk.
    ///
    /// A file that cannot be read is a warning: the request is sent without it.
    pub(super) fn load(&self, keys: &TlsKeys) -> TlsConfig {
        let stamps =
            [&keys.certificate, &keys.key, &keys.roots].map(|path| path.as_deref().and_then(stamp));
        let id = (keys.clone(), stamps);
        if let Some((at, config)) = self.lock().get(&id)
            && at.elapsed() < AGE_MAX
        {
            return config.clone();
        }
        let config = build(keys);
        let mut ready = self.lock();
        ready.retain(|(other, _), _| other != keys);
        if ready.len() >= limits::TLS_CONFIGS_MAX {
            let oldest = ready.iter().min_by_key(|(_, (at, _))| *at).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest {
                ready.remove(&oldest);
            }
        }
        ready.insert(id, (Instant::now(), config.clone()));
        config
    }

    fn lock(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many settings are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

/// Looks at a file without reading it.
fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.size(), metadata.ino()))
}

/// Reads the files and makes the settings ready.
fn build(keys: &TlsKeys) -> TlsConfig {
    let mut warnings = String::new();
    // Given explicitly: a library must not install a provider for the whole process.
    let provider = Arc::new(ring::default_provider());
    let client = client(keys, &provider, &mut warnings);
    TlsConfig { client: Arc::new(client), warnings }
}

/// Makes the settings of a client.
fn client(keys: &TlsKeys, provider: &Arc<CryptoProvider>, warnings: &mut String) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .expect("invariant: ring speaks the default versions");
    let own_roots = keys.roots.as_deref().and_then(|path| roots_of_file(path, warnings));
    let verifier = match own_roots {
        _ if keys.is_peer_trusted => Some(Verifier::of_anyone(provider)),
        Some((roots, certificates)) => Verifier::of_pinned(roots, certificates, provider),
        None => None,
    };
    let builder = match verifier {
        Some(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        None => builder.with_root_certificates(roots_of_system(warnings)),
    };
    let Some((certificates, key)) = identity(keys, warnings) else {
        return builder.with_no_client_auth();
    };
    let fallback = builder.clone();
    builder.with_client_auth_cert(certificates, key).unwrap_or_else(|error| {
        warn(warnings, "tlsCertificateFile", keys.certificate.as_deref(), &error.to_string());
        fallback.with_no_client_auth()
    })
}

/// Reads the certificates and the key to show to the server.
fn identity(
    keys: &TlsKeys,
    warnings: &mut String,
) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let (certificate, key) = match (&keys.certificate, &keys.key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) => return None,
        (Some(path), None) => {
            warn(warnings, "tlsCertificateFile", Some(path), "tlsCertificateKeyFile is missing");
            return None;
        }
        (None, Some(path)) => {
            warn(warnings, "tlsCertificateKeyFile", Some(path), "tlsCertificateFile is missing");
            return None;
        }
    };
    let certificates = certificates(certificate)
        .map_err(|reason| warn(warnings, "tlsCertificateFile", Some(certificate), &reason));
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        warn(warnings, "tlsCertificateKeyFile", Some(key), &pem_text(&error));
    });
    Some((certificates.ok()?, key.ok()?))
}

/// Reads whom to believe from a file; `None`, with a warning, if there is nobody in it.
fn roots_of_file(
    path: &Path,
    warnings: &mut String,
) -> Option<(RootCertStore, Vec<CertificateDer<'static>>)> {
    let certificates = certificates(path)
        .map_err(|reason| {
            let reason = format!("{reason}; using the system's authorities");
            warn(warnings, "tlsRootCAsFile", Some(path), &reason);
        })
        .ok()?;
    let mut roots = RootCertStore::empty();
    let (_, unusable) = roots.add_parsable_certificates(certificates.iter().cloned());
    if unusable > 0 {
        let reason = format!("{unusable} of {} certificates are unusable", certificates.len());
        warn(warnings, "tlsRootCAsFile", Some(path), &reason);
    }
    Some((roots, certificates))
}

/// Reads all certificates of a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| pem_text(&error))?;
    if certificates.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(certificates)
}

/// Reads the authorities of the system: what `SSL_CERT_FILE` and `SSL_CERT_DIR` say, else where
/// distributions keep them.
fn roots_of_system(warnings: &mut String) -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        warnings.push_str(
            "Warning: this node has no certificate authorities; install ca-certificates, or set \
             tlsRootCAsFile.\n",
        );
    }
    roots
}

/// Notes that a file is not used.
fn warn(warnings: &mut String, key: &str, path: Option<&Path>, reason: &str) {
    let path = path.unwrap_or(Path::new("")).display();
    let _ = writeln!(warnings, "Warning: {key} {path}: {reason}.");
}

/// Says why a PEM file cannot be read.
fn pem_text(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => error_text(error),
        rustls::pki_types::pem::Error::NoItemsFound => "there is no such item in it".to_owned(),
        other => other.to_string(),
    }
}
