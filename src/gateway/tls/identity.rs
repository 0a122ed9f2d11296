//! What a client's certificate says of it, read once a connection.

use std::fmt::Write;
use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::context::Identity;

/// Names of one certificate that are read.
const NAMES: usize = 64;

/// Of a certificate that was verified. None: it cannot be read after all.
pub fn identity(der: &[u8]) -> Option<Identity> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let san = names(&certificate).take(NAMES).map(String::into_boxed_str).collect();
    Some(Identity { subject: rfc4514(certificate.subject()).into(), san })
}

/// Of the first certificate in a PEM text, which nobody verifies. None: there is none, or it cannot be read.
pub fn claimed(pem: &str) -> Option<Identity> {
    identity(&CertificateDer::from_pem_slice(pem.as_bytes()).ok()?)
}

/// The alternative names of a subject, as text, in their order.
pub fn names(certificate: &X509Certificate<'_>) -> impl Iterator<Item = String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.map(|extension| extension.value.general_names.iter()).into_iter().flatten();
    names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::RFC822Name(text) | GeneralName::URI(text) => Some((*text).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// A name as RFC 4514 writes it: the last part first, what is special escaped, so that no value looks like two.
fn rfc4514(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut text = String::new();
    for (index, part) in parts.into_iter().rev().enumerate() {
        for (more, attribute) in part.iter().enumerate() {
            match (index, more) {
                (0, 0) => {}
                (_, 0) => text.push(','),
                _ => text.push('+'),
            }
            write_attribute(attribute, &mut text);
        }
    }
    text
}

fn write_attribute(attribute: &AttributeTypeAndValue<'_>, out: &mut String) {
    let kind = attribute.attr_type();
    match oid2abbrev(kind, oid_registry()) {
        Ok(short) => out.push_str(short),
        Err(_) => out.push_str(&kind.to_id_string()),
    }
    out.push('=');
    let Ok(value) = attribute.as_str() else {
        // No text: `#` and its bytes.
        out.push('#');
        for byte in attribute.as_slice() {
            // Writing to a String cannot fail.
            let _ = write!(out, "{byte:02x}");
        }
        return;
    };
    let last = value.chars().count().saturating_sub(1);
    for (index, letter) in value.chars().enumerate() {
        let at_the_edge = (index == 0 && matches!(letter, ' ' | '#')) || (index == last && letter == ' ');
        if at_the_edge || matches!(letter, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=') {
            out.push('\\');
        }
        if letter.is_control() {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                let _ = write!(out, "\\{byte:02x}");
            }
        } else {
            out.push(letter);
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn identity_of(edit: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        edit(&mut params);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        identity(certificate.der()).unwrap()
    }

    #[test]
    fn a_subject_is_written_so_that_no_value_looks_like_two() {
        let table = [
            (vec![(DnType::CountryName, "CH"), (DnType::CommonName, "ann")], "CN=ann,C=CH"),
            (vec![(DnType::CommonName, "ann,O=admin")], "CN=ann\\,O\\=admin"),
            (vec![(DnType::CommonName, " a\n#+ ")], "CN=\\ a\\0a#\\+\\ "),
            (vec![], ""),
        ];
        for (parts, text) in table {
            let identity = identity_of(|params| {
                parts.iter().for_each(|(kind, value)| params.distinguished_name.push(kind.clone(), *value));
            });
            assert_eq!(&*identity.subject, text);
        }
    }

    #[test]
    fn alternative_names_are_text_in_their_order() {
        let identity = identity_of(|params| {
            params.subject_alt_names = vec![
                SanType::URI("spiffe://shop/ann".try_into().unwrap()),
                SanType::DnsName("Ann.Shop.test".try_into().unwrap()),
                SanType::IpAddress([192, 0, 2, 1].into()),
                SanType::IpAddress("2001:db8::1".parse().unwrap()),
                SanType::Rfc822Name("ann@shop.test".try_into().unwrap()),
            ];
        });
        let names: Vec<&str> = identity.san.iter().map(|name| &**name).collect();
        assert_eq!(
            names,
            ["spiffe://shop/ann", "ann.shop.test", "192.0.2.1", "2001:db8::1", "ann@shop.test"]
        );
        assert_eq!(identity_of(|_| {}).san.len(), 0);
        assert_eq!(super::identity(b"nothing"), None);
    }
}
