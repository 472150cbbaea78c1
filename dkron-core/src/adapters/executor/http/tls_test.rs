//! TLS against a real server: whom the executor believes, and what is wrong with files.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::HttpExecutor;
use super::server_test::{Server, answer};
use super::tls::{TlsConfigs, TlsKeys};
use crate::adapters::executor::kit_test::{TestRun, assert_output};

/// A certificate with its key.
pub(super) struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

pub(super) type Authority = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

pub(super) fn authority() -> Authority {
    let mut params = params("authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for the local address, vouched for by `authority`.
pub(super) fn issued_by(authority: &Authority) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = params("127.0.0.1").signed_by(&key, authority).unwrap();
    Identity { certificate: certificate.der().clone(), pem: certificate.pem(), key }
}

/// A certificate that vouches for itself, as an authority.
fn own_authority(name: &str, is_expired: bool) -> Identity {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    if is_expired {
        params.not_after = date_time_ymd(2020, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Identity { certificate: certificate.der().clone(), pem: certificate.pem(), key }
}

fn key_of(identity: &Identity) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap()
}

/// A server that says `ok` over TLS; with `clients`, only to whom that authority vouches for.
pub(super) async fn server(identity: &Identity, clients: Option<&Authority>) -> Server {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let roots = Arc::new(roots);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![identity.certificate.clone()];
    let config = builder.with_single_cert(chain, key_of(identity)).unwrap();
    Server::start_tls(config, |_| answer(200, "", "ok")).await
}

/// Asks a server and returns what is kept.
async fn ask(server: &Server, keys: &[(&str, &Path)]) -> String {
    let url = format!("https://{}/", server.address);
    let mut all = vec![("url", url.as_str()), ("method", "GET")];
    all.extend(keys.iter().map(|(key, path)| (*key, path.to_str().unwrap())));
    let run = TestRun::new(Arc::new(HttpExecutor::new()), &all);
    String::from_utf8(run.output().await.bytes).unwrap()
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused_unless_told_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority();
    let server = server(&issued_by(&authority), None).await;
    let roots = dir.path().join("ca.pem");
    std::fs::write(&roots, authority.pem()).unwrap();

    let refused = ask(&server, &[]).await;
    assert!(refused.contains("tls: invalid peer certificate: UnknownIssuer"), "{refused}");
    assert_eq!(ask(&server, &[("tlsRootCAsFile", &roots)]).await, "ok");
    assert_eq!(ask(&server, &[("tlsNoVerifyPeer", Path::new("true"))]).await, "ok");
}

#[tokio::test]
async fn no_provider_is_installed_for_the_whole_process() {
    let server = server(&issued_by(&authority()), None).await;
    assert_eq!(ask(&server, &[("tlsNoVerifyPeer", Path::new("1"))]).await, "ok");
    assert!(CryptoProvider::get_default().is_none());
}

#[tokio::test]
async fn a_certificate_that_is_its_own_authority_is_believed_when_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let roots = dir.path().join("server.pem");
    let check = async |identity: &Identity, named: &Identity, want: &str| {
        let server = server(identity, None).await;
        std::fs::write(&roots, &named.pem).unwrap();
        let output = ask(&server, &[("tlsRootCAsFile", &roots)]).await;
        assert!(output.contains(want), "{output}");
    };

    let mine = own_authority("127.0.0.1", false);
    check(&mine, &mine, "ok").await;
    check(&mine, &own_authority("127.0.0.1", false), "invalid peer certificate").await;
    let other_name = own_authority("elsewhere.example", false);
    check(&other_name, &other_name, "not valid for name").await;
    let expired = own_authority("127.0.0.1", true);
    check(&expired, &expired, "certificate expired").await;
}

#[tokio::test]
async fn the_executor_shows_the_certificate_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let (authority, clients) = (authority(), authority());
    let server = server(&issued_by(&authority), Some(&clients)).await;
    let [roots, certificate, key] =
        ["ca.pem", "client.pem", "client.key"].map(|name| dir.path().join(name));
    let client = issued_by(&clients);
    std::fs::write(&roots, authority.pem()).unwrap();
    std::fs::write(&certificate, &client.pem).unwrap();
    std::fs::write(&key, client.key.serialize_pem()).unwrap();

    let keys = [
        ("tlsRootCAsFile", roots.as_path()),
        ("tlsCertificateFile", &certificate),
        ("tlsCertificateKeyFile", &key),
    ];
    assert_eq!(ask(&server, &keys).await, "ok");
    let refused = ask(&server, &keys[..1]).await;
    assert!(refused.starts_with("Get \"https://"), "{refused}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_warned_of_and_the_request_goes_out() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority();
    let server = server(&issued_by(&authority), None).await;
    let [roots, empty, absent, certificate] =
        ["ca.pem", "empty.pem", "absent.pem", "client.pem"].map(|name| dir.path().join(name));
    std::fs::write(&roots, authority.pem()).unwrap();
    std::fs::write(&empty, "").unwrap();
    std::fs::write(&certificate, issued_by(&authority).pem).unwrap();
    let trust = ("tlsRootCAsFile", roots.as_path());
    let check = async |keys: &[(&str, &Path)], want: &str| {
        let want = want.replace("DIR", dir.path().to_str().unwrap());
        assert_eq!(ask(&server, keys).await, want);
    };

    check(
        &[trust, ("tlsCertificateFile", &absent), ("tlsCertificateKeyFile", &empty)],
        "Warning: tlsCertificateFile DIR/absent.pem: no such file or directory.\n\
         Warning: tlsCertificateKeyFile DIR/empty.pem: there is no such item in it.\nok",
    )
    .await;
    check(
        &[trust, ("tlsCertificateFile", &certificate)],
        "Warning: tlsCertificateFile DIR/client.pem: tlsCertificateKeyFile is missing.\nok",
    )
    .await;
    check(
        &[trust, ("tlsCertificateKeyFile", &certificate)],
        "Warning: tlsCertificateKeyFile DIR/client.pem: tlsCertificateFile is missing.\nok",
    )
    .await;
    let output = ask(&server, &[("tlsRootCAsFile", &absent)]).await;
    let want = format!(
        "Warning: tlsRootCAsFile {}: no such file or directory; using the system's authorities.\n",
        absent.display()
    );
    assert!(output.contains(&want) && output.contains("UnknownIssuer"), "{output}");
}

#[tokio::test]
async fn a_file_that_was_replaced_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (authority(), authority());
    let server = server(&issued_by(&new), None).await;
    let roots = dir.path().join("ca.pem");
    let executor = Arc::new(HttpExecutor::new());
    let url = format!("https://{}/", server.address);
    let keys =
        [("url", url.as_str()), ("method", "GET"), ("tlsRootCAsFile", roots.to_str().unwrap())];
    let run = || TestRun::new(executor.clone(), &keys);
    std::fs::write(&roots, old.pem()).unwrap();
    let refused = String::from_utf8(run().output().await.bytes).unwrap();
    assert!(refused.contains("invalid peer certificate"), "{refused}");

    let next = dir.path().join("next.pem");
    std::fs::write(&next, new.pem()).unwrap();
    std::fs::rename(&next, &roots).unwrap();

    assert_output(&run().output().await, "ok");
}

#[test]
fn settings_are_kept_while_their_files_stay_and_within_a_bound() {
    let dir = tempfile::tempdir().unwrap();
    let configs = TlsConfigs::default();
    let keys = |number: usize| TlsKeys {
        is_peer_trusted: true,
        roots: Some(dir.path().join(format!("{number}.pem"))),
        ..TlsKeys::default()
    };

    let paths = ["ca.pem", "client.pem", "client.key"].map(|name| dir.path().join(name));
    let [roots, certificate, key] = paths.clone().map(Some);
    let all = TlsKeys { is_peer_trusted: true, certificate, key, roots };
    for path in paths {
        let before = configs.load(&all);
        assert!(Arc::ptr_eq(&before.client, &configs.load(&all).client));
        std::fs::write(&path, "changed").unwrap();
        assert!(!Arc::ptr_eq(&before.client, &configs.load(&all).client), "{path:?}");
    }
    assert_eq!(configs.len(), 1);
    for number in 0..150 {
        configs.load(&keys(number));
    }
    assert_eq!(configs.len(), crate::limits::TLS_CONFIGS_MAX);
}
