//! Whether a server is who it claims to be, where the rules of the web are not the ones to go by.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Checks a server by other rules than those of the web.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

/// Whom to believe.
#[derive(Debug)]
enum Trust {
    /// Whoever holds the key of the certificate that is shown, whatever it says.
    Anyone,
    /// The certificates of a file, and whom they vouch for.
    ///
    /// A server that shows one of these certificates itself is believed too, if it is valid now and
    /// for this name. People make such a certificate with one command, as its own authority; the
    /// library refuses an authority as a server's certificate, Dkron accepts it.
    Pinned { chain: Arc<WebPkiServerVerifier>, certificates: Vec<CertificateDer<'static>> },
}

impl Verifier {
    /// Believes anyone.
    pub(super) fn of_anyone(provider: &Arc<CryptoProvider>) -> Self {
        Self { trust: Trust::Anyone, provider: Arc::clone(provider) }
    }

    /// Believes `roots`, made of `certificates`; `None` if there are none.
    pub(super) fn of_pinned(
        roots: RootCertStore,
        certificates: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Option<Self> {
        let chain =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let trust = Trust::Pinned { chain: chain.build().ok()?, certificates };
        Some(Self { trust, provider: Arc::clone(provider) })
    }
}

/// Returns whether all that is wrong with a certificate is that it is an authority.
///
/// The library looks at the dates before that.
fn is_authority(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            other.0.to_string() == "CaUsedAsEndEntity"
        }
        _ => false,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Trust::Pinned { chain, certificates } = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
            Err(error) if is_authority(&error) && certificates.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
