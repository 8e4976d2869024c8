//! Signatures by `ring`, which the host has for TLS anyway, put under the library that reads tokens. Nothing is signed here.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as Unverified, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature::{
    self as check, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: no_signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Puts it in place, once for the process; before any token is read.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // Whoever was there first in this process is ours too: nobody else names the library.
        PROVIDER.install_default().unwrap_or_default();
    });
}

fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let scheme = scheme(*algorithm).ok_or(ErrorKind::UnsupportedAlgorithm)?;
    match (scheme, key.kind()) {
        (Scheme::Rsa(_), DecodingKeyKind::RsaModulusExponent { .. })
        | (Scheme::Point(_), DecodingKeyKind::SecretOrDer(_)) => {
            Ok(Box::new(Check { algorithm: *algorithm, scheme, key: key.kind().clone() }))
        }
        _ => Err(ErrorKind::InvalidKeyFormat.into()),
    }
}

#[derive(Clone, Copy)]
enum Scheme {
    Rsa(&'static RsaParameters),
    Point(&'static dyn VerificationAlgorithm),
}

/// What checks it; `None` for what must not sign a token. RSA keys have 2048 bits at least, by ring's own rule.
fn scheme(algorithm: Algorithm) -> Option<Scheme> {
    Some(match algorithm {
        Algorithm::RS256 => Scheme::Rsa(&check::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Scheme::Rsa(&check::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Scheme::Rsa(&check::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Scheme::Rsa(&check::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Scheme::Rsa(&check::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Scheme::Rsa(&check::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 => Scheme::Point(&check::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Scheme::Point(&check::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Scheme::Point(&check::ED25519),
        _ => return None,
    })
}

struct Check {
    algorithm: Algorithm,
    scheme: Scheme,
    key: DecodingKeyKind,
}

impl Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Unverified> {
        let checked = match (self.scheme, &self.key) {
            (Scheme::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            (Scheme::Point(algorithm), DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(algorithm, point).verify(message, signature)
            }
            _ => return Err(Unverified::new()),
        };
        checked.map_err(|_| Unverified::new())
    }
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
