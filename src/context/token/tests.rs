//! Tokens signed on the spot, and what becomes of them.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::sign;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::*;
use crate::config::jwt::{KeysFrom, PUBLIC, SECRET};
use crate::config::secret::Secret;

const NOW: i64 = 1_800_000_000;
const SHARED: &str = "0123456789abcdef0123456789abcdef";
/// A key of these tests alone, and its modulus.
const RSA: &[u8] = include_bytes!("fixtures/rsa.der");
const MODULUS: &str = "7o_y2EI9bjpxAh2qsjfFzk8Qu6sCLeURm1Q1yx-rwxh5jS2MuO8rdNSsziQyjvAQqn6X90hwWuY5WtfOvCMl7z6fbqMSmDJ71SnLzv6Trt1V8wBGVYXbR5EmdJXbYDAFWK_SvKUnOmAz0t5a0Rs-D3piGYZqCGjmeMCp46IJwVHjboi8oLilJZqm0F1IeC3nrhDQqzZd5Cl7d2s3HiITd1qilZI9XllFQt9VpEcenRKN0Sle4RbauEdsK6EqLKbJzOueqRvq87vFG2OIHLiomnSSKROZ4_QOuCTK6YEIzZXSUvhUJ5b-QzHdwA-6TUPCdiwxpEj6l4oJctvgUVji-w";

fn b64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Whoever signs: one key of each kind.
struct Issuer {
    ed: Vec<u8>,
    ec: Vec<u8>,
}

impl Issuer {
    fn new() -> Issuer {
        let random = SystemRandom::new();
        Issuer {
            ed: Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref().to_vec(),
            ec: EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                .unwrap()
                .as_ref()
                .to_vec(),
        }
    }

    /// Its public keys: `r`, `e`, `d`.
    fn set(&self) -> Json {
        let ed = Ed25519KeyPair::from_pkcs8(&self.ed).unwrap();
        let random = SystemRandom::new();
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.ec, &random).unwrap();
        let (x, y) = ec.public_key().as_ref()[1..].split_at(32);
        json!({"keys": [
            {"kty": "RSA", "kid": "r", "n": MODULUS, "e": "AQAB", "use": "sig"},
            {"kty": "EC", "crv": "P-256", "kid": "e", "x": b64(x), "y": b64(y), "key_ops": ["verify"]},
            {"kty": "OKP", "crv": "Ed25519", "kid": "d", "x": b64(ed.public_key())},
            {"kty": "EC", "crv": "P-521", "kid": "later", "x": "", "y": ""},
            {"kty": "oct", "kid": "s", "k": b64(SHARED)},
        ]})
    }

    fn signed(&self, algorithm: Algorithm, head: &Json, claims: &Json) -> String {
        let key = match algorithm {
            Algorithm::EdDSA => EncodingKey::from_ed_der(&self.ed),
            Algorithm::ES256 => EncodingKey::from_ec_der(&self.ec),
            Algorithm::HS256 => EncodingKey::from_secret(SHARED.as_bytes()),
            _ => EncodingKey::from_rsa_der(RSA),
        };
        let message = format!("{}.{}", b64(head.to_string()), b64(claims.to_string()));
        let signature = sign(message.as_bytes(), &key, algorithm).unwrap();
        format!("{message}.{signature}")
    }

    /// A good token but for what is given.
    fn token(&self, head: Json, claims: Json) -> String {
        let mut good = json!({"sub": "ada", "exp": NOW + 60});
        good.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        good.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.signed(Algorithm::EdDSA, &head, &good)
    }
}

fn rules() -> Jwt {
    Jwt {
        carrier: Carrier::Header(header::AUTHORIZATION),
        keys: KeysFrom::Inline("".into()),
        issuers: Vec::new(),
        audiences: Vec::new(),
        algorithms: PUBLIC.to_vec(),
        leeway: Duration::from_secs(30),
        max_bytes: 2048,
    }
}

fn verifier(issuer: &Issuer, rules: Jwt) -> Verifier {
    Verifier::new(rules, Some(KeySet::parse(&issuer.set().to_string()).unwrap()))
}

fn fields(lines: &[(HeaderName, &str)]) -> HeaderMap {
    HeaderMap::from_iter(
        lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())),
    )
}

fn bearer(token: &str) -> HeaderMap {
    fields(&[(header::AUTHORIZATION, &format!("Bearer {token}"))])
}

fn verified(verifier: &Verifier, token: &str) -> Result<(), Refused> {
    verifier.verify(&bearer(token), NOW).map(drop)
}

#[test]
fn a_token_counts_by_its_key_and_an_algorithm_that_fits() {
    let issuer = Issuer::new();
    let verifier = verifier(&issuer, rules());
    let claims = json!({"sub": "ada", "exp": NOW + 1});
    for (algorithm, key) in [
        (Algorithm::RS256, "r"),
        (Algorithm::RS512, "r"),
        (Algorithm::PS256, "r"),
        (Algorithm::PS384, "r"),
        (Algorithm::ES256, "e"),
        (Algorithm::EdDSA, "d"),
    ] {
        let name = format!("{algorithm:?}");
        let with = issuer.signed(algorithm, &json!({"alg": name, "kid": key, "typ": "at+jwt"}), &claims);
        let without = issuer.signed(algorithm, &json!({"alg": name}), &claims);
        for token in [with, without] {
            let found = verifier.verify(&bearer(&token), NOW).unwrap();
            assert_eq!(found.key("sub").as_deref(), Some("ada"), "{name}");
        }
        let elsewhere = issuer.signed(algorithm, &json!({"alg": name, "kid": "x"}), &claims);
        assert_eq!(verified(&verifier, &elsewhere), Err(Refused::UnknownKey), "{name}");
    }
}

#[test]
fn no_algorithm_is_confused_with_another() {
    let issuer = Issuer::new();
    let public = verifier(&issuer, rules());
    let claims = json!({"sub": "ada", "exp": NOW + 1});
    // Signed by the public key as if it were a secret, and by a secret that stands in the set.
    for head in
        [json!({"alg": "HS256", "kid": "r"}), json!({"alg": "HS256", "kid": "s"}), json!({"alg": "HS256"})]
    {
        assert_eq!(
            verified(&public, &issuer.signed(Algorithm::HS256, &head, &claims)),
            Err(Refused::Algorithm)
        );
    }
    // Even where the list says otherwise: a set that travels holds no secrets.
    let all = Jwt { algorithms: [&PUBLIC[..], &SECRET[..]].concat(), ..rules() };
    let all = verifier(&issuer, all);
    let head = json!({"alg": "HS256", "kid": "s"});
    assert_eq!(verified(&all, &issuer.signed(Algorithm::HS256, &head, &claims)), Err(Refused::UnknownKey));
    // The name of one key, the algorithm of another.
    let head = json!({"alg": "EdDSA", "kid": "r"});
    assert_eq!(verified(&public, &issuer.signed(Algorithm::EdDSA, &head, &claims)), Err(Refused::UnknownKey));
    for none in ["none", "None", "NONE", "", "ES256K", "RS1"] {
        let message = format!("{}.{}", b64(json!({"alg": none}).to_string()), b64(claims.to_string()));
        for token in [format!("{message}."), format!("{message}.AAAA")] {
            assert_eq!(verified(&public, &token), Err(Refused::Algorithm), "{none}");
        }
    }
    let secret = Verifier::new(
        Jwt { algorithms: SECRET.to_vec(), ..rules() },
        Some(KeySet::secrets(&[Secret::for_tests(&"x".repeat(32)), Secret::for_tests(SHARED)])),
    );
    let head = json!({"alg": "HS256"});
    assert_eq!(verified(&secret, &issuer.signed(Algorithm::HS256, &head, &claims)), Ok(()));
    let head = json!({"alg": "RS256"});
    assert_eq!(verified(&secret, &issuer.signed(Algorithm::RS256, &head, &claims)), Err(Refused::Algorithm));
}

#[test]
fn a_key_that_its_set_says_is_of_one_algorithm_verifies_no_other() {
    let issuer = Issuer::new();
    let set = |key: Json| KeySet::parse(&json!({"keys": [key]}).to_string());
    let rsa = |more: Json| {
        let mut key = json!({"kty": "RSA", "n": MODULUS, "e": "AQAB"});
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    };
    let keys = set(rsa(json!({"alg": "PS256"}))).unwrap();
    let verifier = Verifier::new(rules(), Some(keys));
    let claims = json!({"exp": NOW + 1});
    let token = |name: &str, algorithm| issuer.signed(algorithm, &json!({"alg": name}), &claims);
    assert_eq!(verified(&verifier, &token("PS256", Algorithm::PS256)), Ok(()));
    assert_eq!(verified(&verifier, &token("RS256", Algorithm::RS256)), Err(Refused::UnknownKey));
    for useless in [
        rsa(json!({"use": "enc"})),
        rsa(json!({"key_ops": ["encrypt"]})),
        rsa(json!({"alg": "ES256"})),
        rsa(json!({"alg": "RSA-OAEP"})),
        rsa(json!({"n": "*"})),
        json!({"kty": "oct", "k": b64(SHARED)}),
        json!({"kty": "EC", "crv": "secp256k1", "x": "", "y": ""}),
        json!({}),
        json!(7),
    ] {
        assert!(set(useless.clone()).is_err(), "{useless}");
    }
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#] {
        assert!(KeySet::parse(text).is_err(), "{text}");
    }
    let many = json!({"keys": vec![rsa(json!({})); 101]});
    assert!(KeySet::parse(&many.to_string()).unwrap_err().contains("more than 100"));
}

#[test]
fn time_counts_with_a_leeway() {
    let issuer = Issuer::new();
    let verifier = verifier(&issuer, rules());
    for (claims, result) in [
        (json!({"exp": NOW - 29}), Ok(())),
        (json!({"exp": NOW - 30}), Err(Refused::Expired)),
        (json!({"exp": NOW as f64 - 29.5}), Ok(())),
        (json!({"exp": -1}), Err(Refused::Expired)),
        (json!({"exp": 1e308}), Ok(())),
        (json!({"exp": (NOW + 60).to_string()}), Err(Refused::Malformed)),
        (json!({"exp": null}), Err(Refused::NoExpiry)),
        (json!({"nbf": NOW + 30}), Ok(())),
        (json!({"nbf": NOW + 31}), Err(Refused::NotYetValid)),
        (json!({"nbf": "soon"}), Err(Refused::Malformed)),
        (json!({"iat": NOW + 1000}), Ok(())),
    ] {
        let token = issuer.token(json!({"alg": "EdDSA", "kid": "d"}), claims.clone());
        assert_eq!(verified(&verifier, &token), result, "{claims}");
    }
}

#[test]
fn a_token_is_by_whom_and_for_whom_it_is_configured() {
    let issuer = Issuer::new();
    let named = Jwt { issuers: vec!["a".into(), "b".into()], audiences: vec!["shop".into()], ..rules() };
    let verifier = verifier(&issuer, named);
    for (claims, result) in [
        (json!({"iss": "a", "aud": "shop"}), Ok(())),
        (json!({"iss": "b", "aud": ["x", "shop"]}), Ok(())),
        (json!({"iss": "A", "aud": "shop"}), Err(Refused::Issuer)),
        (json!({"iss": ["a"], "aud": "shop"}), Err(Refused::Issuer)),
        (json!({"aud": "shop"}), Err(Refused::Issuer)),
        (json!({"iss": "a"}), Err(Refused::Audience)),
        (json!({"iss": "a", "aud": "shop2"}), Err(Refused::Audience)),
        (json!({"iss": "a", "aud": []}), Err(Refused::Audience)),
        (json!({"iss": "a", "aud": {"shop": true}}), Err(Refused::Audience)),
    ] {
        let token = issuer.token(json!({"alg": "EdDSA"}), claims.clone());
        assert_eq!(verified(&verifier, &token), result, "{claims}");
    }
}

#[test]
fn what_is_changed_cut_or_misshapen_does_not_count() {
    let issuer = Issuer::new();
    let verifier = verifier(&issuer, rules());
    let good = issuer.token(json!({"alg": "EdDSA", "kid": "d"}), json!({}));
    assert_eq!(verified(&verifier, &good), Ok(()));
    let parts: Vec<&str> = good.split('.').collect();
    let [head, _, signature] = parts[..] else { unreachable!() };
    let other = b64(json!({"sub": "eve", "exp": NOW + 60}).to_string());
    let table = [
        (format!("{head}.{other}.{signature}"), Refused::Signature),
        (format!("{head}.{other}."), Refused::Signature),
        (good[..good.len() - 8].to_owned(), Refused::Signature),
        (format!("{good}.x"), Refused::Signature),
        (format!("x.{good}"), Refused::Malformed),
        (String::new(), Refused::Malformed),
        ("..".to_owned(), Refused::Malformed),
        ("a.b.c.d.e".to_owned(), Refused::Malformed),
        (format!("{head}=.{other}.{signature}"), Refused::Malformed),
        ("x".repeat(2049), Refused::TooLong),
        (issuer.token(json!({"alg": "EdDSA", "crit": ["b64"], "b64": false}), json!({})), Refused::Critical),
        (issuer.token(json!({"alg": ["EdDSA"]}), json!({})), Refused::Malformed),
        (issuer.token(json!({}), json!({})), Refused::Malformed),
        (issuer.signed(Algorithm::EdDSA, &json!({"alg": "EdDSA"}), &json!(["exp"])), Refused::Malformed),
    ];
    for (token, why) in table {
        assert_eq!(verified(&verifier, &token), Err(why), "{token}");
    }
    let twice = format!("{}.{other}.{signature}", b64(r#"{"alg":"none","alg":"EdDSA"}"#));
    assert_eq!(verified(&verifier, &twice), Err(Refused::Malformed));
    assert_eq!(verified(&Verifier::new(rules(), None), &good), Err(Refused::NoKeys));
}

#[test]
fn it_travels_in_a_header_or_a_cookie_and_once() {
    let issuer = Issuer::new();
    let token = issuer.token(json!({"alg": "EdDSA"}), json!({}));
    let auth = header::AUTHORIZATION;
    let by_header = verifier(&issuer, rules());
    let asked =
        |verifier: &Verifier, lines: &[(HeaderName, &str)]| verifier.verify(&fields(lines), NOW).map(drop);
    let (bearer, lower) = (format!("Bearer {token}"), format!("bEARER   {token} "));
    for (lines, result) in [
        (&[(auth.clone(), bearer.as_str())][..], Ok(())),
        (&[(auth.clone(), &lower)], Ok(())),
        (&[(auth.clone(), &token)], Ok(())),
        (&[(auth.clone(), "Basic YWRhOg==")], Err(Refused::Absent)),
        (&[(auth.clone(), "Bearer ")], Err(Refused::Malformed)),
        (&[(auth.clone(), &bearer), (auth.clone(), &bearer)], Err(Refused::Malformed)),
        (&[(header::COOKIE, &format!("t={token}"))], Err(Refused::Absent)),
        (&[], Err(Refused::Absent)),
    ] {
        assert_eq!(asked(&by_header, lines), result, "{lines:?}");
    }
    let by_cookie = verifier(&issuer, Jwt { carrier: Carrier::Cookie("t".into()), ..rules() });
    assert_eq!(asked(&by_cookie, &[(header::COOKIE, &format!("a=1; t={token}"))]), Ok(()));
    assert_eq!(
        asked(&by_cookie, &[(header::COOKIE, &format!("t={token}; t={token}"))]),
        Err(Refused::Malformed)
    );
    assert_eq!(asked(&by_cookie, &[(auth, &bearer)]), Err(Refused::Absent));
}

#[test]
fn it_is_looked_at_when_somebody_asks_and_once() {
    let issuer = Issuer::new();
    let verifier = verifier(&issuer, rules());
    let token = Token::new(Some(&verifier));
    assert_eq!(token.asked(), None);
    let good = bearer(&issuer.token(json!({"alg": "EdDSA"}), json!({})));
    assert!(token.claims(&good, NOW).is_ok());
    assert!(token.claims(&HeaderMap::new(), NOW + 10_000).is_ok(), "the answer stays for the request");
    assert_eq!(token.asked(), Some(Ok(())));
    assert_eq!(Token::default().claims(&good, NOW), Err(Refused::Absent));
}

#[test]
fn every_reason_has_a_place_and_a_name_of_its_own() {
    for (index, why) in Refused::ALL.iter().enumerate() {
        assert_eq!(*why as usize, index);
    }
    let names: std::collections::BTreeSet<_> = Refused::ALL.iter().map(|why| why.label()).collect();
    assert_eq!(names.len(), Refused::ALL.len());
}

proptest::proptest! {
    #[test]
    fn no_text_panics_and_none_that_is_not_signed_counts(text in "\\PC{0,80}|[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,90}") {
        let keys = KeySet::secrets(&[Secret::for_tests(SHARED)]);
        let verifier = Verifier::new(Jwt { algorithms: SECRET.to_vec(), ..rules() }, Some(keys));
        proptest::prop_assert!(verifier.read(&text, NOW).is_err());
        let _ = KeySet::parse(&text);
    }
}
