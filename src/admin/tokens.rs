//! Who holds which token: `tokens.json` in the state folder, hashes alone, and the file as the door sees it.
//!
//! The command line edits the file, the door only reads it: at each request it looks whether it is still the same file. A file that
//! cannot be read never opens the door: the last tokens that were good stay.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::role::Role;
use crate::source::whole_file;
use crate::telemetry::limiter::{Limiter, uptime};

/// The file's name in the state folder.
pub const FILE: &str = "tokens.json";

/// Bytes of the file that are read: many thousand tokens.
const LONGEST_FILE: u64 = 4 << 20;

/// Most characters of a name.
const LONGEST_NAME: usize = 64;

/// Names that mean somebody else in the audit.
const RESERVED: [&str; 3] = ["admin.token", "anonymous", "flagway"];

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    version: u32,
    tokens: Vec<Token>,
}

/// One token, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Whose it is; no two have one.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// SHA-256 of the text, in hexadecimal.
    #[serde(with = "hex")]
    pub sha256: [u8; 32],
    /// RFC 3339.
    pub created: String,
    /// The text's last four characters.
    pub hint: String,
}

impl Default for Tokens {
    fn default() -> Tokens {
        Tokens { version: 1, tokens: Vec::new() }
    }
}

impl Tokens {
    /// Makes a token of these random bytes; the text is known to the caller alone. The error is a sentence.
    pub fn add(
        &mut self,
        name: &str,
        role: Role,
        random: [u8; 32],
        now: SystemTime,
    ) -> Result<String, String> {
        check_name(name)?;
        if self.tokens.iter().any(|token| token.name == name) {
            return Err(format!(
                "there is a token `{name}` already; `flagway token revoke {name}` takes it back"
            ));
        }
        let text = format!("fw_{}", hex::text(&random));
        self.tokens.push(Token {
            name: name.to_owned(),
            role,
            sha256: digest(text.as_bytes()),
            created: humantime::format_rfc3339_seconds(now).to_string(),
            hint: text[text.len() - 4..].to_owned(), // Hexadecimal digits: any index is a character's border.
        });
        Ok(text)
    }

    /// Takes a token back. The error is a sentence.
    pub fn revoke(&mut self, name: &str) -> Result<Token, String> {
        let Some(at) = self.tokens.iter().position(|token| token.name == name) else {
            let near = crate::config::suggest(name, self.tokens.iter().map(|token| &*token.name));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("there is no token `{name}`{near}"));
        };
        Ok(self.tokens.remove(at))
    }

    /// In the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter()
    }

    /// Whose token has this digest. All are compared: digests tell nothing about a token, whichever differs where.
    pub fn holder(&self, digest: &[u8; 32]) -> Option<&Token> {
        self.tokens
            .iter()
            .fold(None, |found, token| if token.sha256 == *digest { Some(token) } else { found })
    }

    /// Reads the file of a state folder; none: there is no file.
    pub fn read(state_dir: &Path) -> io::Result<Option<Tokens>> {
        match File::open(state_dir.join(FILE)) {
            Ok(file) => Tokens::parse(file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(file: File) -> io::Result<Tokens> {
        let wrong = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        if file.metadata()?.len() > LONGEST_FILE {
            return Err(wrong(format!("it is longer than {} MiB", LONGEST_FILE >> 20)));
        }
        let text = io::read_to_string(io::Read::take(file, LONGEST_FILE))?;
        let tokens: Tokens = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if tokens.version != 1 {
            return Err(wrong(format!("its version is {}, this Flagway reads 1", tokens.version)));
        }
        Ok(tokens)
    }

    /// Changes the file of a state folder, whole or not at all; who comes at the same time waits. The
    /// error is a sentence.
    pub fn edit<T>(
        state_dir: &Path,
        change: impl FnOnce(&mut Tokens) -> Result<T, String>,
    ) -> Result<T, String> {
        let file = state_dir.join(FILE);
        let io = |error: io::Error| format!("{} cannot be changed: {error}", file.display());
        whole_file::make_folder(state_dir).map_err(io)?;
        // Until it is dropped.
        let folder = File::open(state_dir).map_err(io)?;
        folder.lock().map_err(io)?;
        let mut tokens = Tokens::read(state_dir).map_err(io)?.unwrap_or_default();
        let changed = change(&mut tokens)?;
        let text = format!("{:#}\n", serde_json::json!(tokens));
        whole_file::write(&file, text.as_bytes(), "tokens").map_err(io)?;
        Ok(changed)
    }
}

/// The digest that a token is known by.
pub fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(fits) {
        return Err(format!(
            "the name {name:?} is not 1 to {LONGEST_NAME} of the characters a-z A-Z 0-9 . - _ @"
        ));
    }
    if RESERVED.contains(&name) {
        return Err(format!("the name `{name}` means somebody else in the audit; choose another"));
    }
    Ok(())
}

/// The file of a state folder, as it was last seen good.
#[derive(Debug)]
pub struct Watched {
    state_dir: PathBuf,
    seen: Seen,
    known: Known,
    /// Of the log.
    lines: Limiter,
}

/// What is known of the tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// There is no file.
    None,
    /// There is one, and these are its last good tokens.
    Tokens(Tokens),
    /// There is one, and it never was good: it may hold tokens, so nobody is let in without one.
    Never,
}

/// Which file was looked at: another one has another inode, an edited one another time or length.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Nothing,
    File { inode: u64, length: u64, modified: (i64, i64) },
    Error(io::ErrorKind),
}

impl Watched {
    /// Looks for the first time.
    pub fn new(state_dir: PathBuf) -> Watched {
        let mut watched =
            Watched { state_dir, seen: Seen::Nothing, known: Known::None, lines: Limiter::default() };
        watched.look();
        watched
    }

    /// What is known now. A file that cannot be used is told when it is found.
    pub fn look(&mut self) -> &Known {
        let seen = match fs::metadata(self.state_dir.join(FILE)) {
            Ok(file) => Seen::File {
                inode: file.ino(),
                length: file.len(),
                modified: (file.mtime(), file.mtime_nsec()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Seen::Nothing,
            Err(error) => Seen::Error(error.kind()),
        };
        if seen != self.seen {
            self.seen = seen;
            self.read();
        }
        &self.known
    }

    fn read(&mut self) {
        match Tokens::read(&self.state_dir) {
            Ok(None) => self.known = Known::None,
            Ok(Some(tokens)) => {
                tracing::info!(tokens = tokens.tokens.len(), "the tokens of the admin API were read");
                self.known = Known::Tokens(tokens);
            }
            Err(error) => {
                if let Some(held_back) = self.lines.pass(uptime()) {
                    tracing::error!(
                        file = %self.state_dir.join(FILE).display(),
                        %error,
                        held_back,
                        "the tokens of the admin API cannot be read: those that were good before stay"
                    );
                }
                if self.known == Known::None {
                    self.known = Known::Never;
                }
            }
        }
    }
}

/// Bytes as hexadecimal text.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn text(bytes: &[u8; 32]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        let digits =
            text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            for (byte, digit) in bytes.iter_mut().zip(digits) {
                *byte = digit.ok_or_else(|| de::Error::custom("`sha256` is no hexadecimal number"))?;
            }
            return Ok(bytes);
        }
        Err(de::Error::custom("`sha256` is not 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::UNIX_EPOCH;

    use super::*;

    fn add(state_dir: &Path, name: &str, role: Role, random: u8) -> Result<String, String> {
        Tokens::edit(state_dir, |tokens| tokens.add(name, role, [random; 32], UNIX_EPOCH))
    }

    fn holder(known: &Known, text: &str) -> Option<(String, Role)> {
        match known {
            Known::Tokens(tokens) => {
                tokens.holder(&digest(text.as_bytes())).map(|token| (token.name.clone(), token.role))
            }
            Known::None | Known::Never => None,
        }
    }

    #[test]
    fn a_token_is_kept_as_a_hash_that_nobody_else_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("deep/state");
        let text = add(&state, "ann", Role::Operator, 0xab).unwrap();
        assert_eq!(text, format!("fw_{}", "ab".repeat(32)));
        let file = state.join(FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let kept: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let expected = serde_json::json!({"version": 1, "tokens": [{
            "name": "ann", "role": "operator", "created": "1970-01-01T00:00:00Z", "hint": "abab",
            "sha256": hex::text(&digest(text.as_bytes())),
        }]});
        assert_eq!(kept, expected);
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "nothing temporary is left");
    }

    #[test]
    fn names_are_plain_and_no_two_have_one() {
        let folder = tempfile::tempdir().unwrap();
        let long = "a".repeat(65);
        for name in ["", "a b", "ä", "a\n", &long, "anonymous", "admin.token", "flagway"] {
            assert!(add(folder.path(), name, Role::Viewer, 1).is_err(), "{name:?}");
        }
        add(folder.path(), "ann@shop.example", Role::Viewer, 1).unwrap();
        let twice = add(folder.path(), "ann@shop.example", Role::Admin, 2).unwrap_err();
        assert!(twice.contains("already"), "{twice}");
        let unknown = Tokens::edit(folder.path(), |tokens| tokens.revoke("ann@shop.exmaple")).unwrap_err();
        assert_eq!(unknown, "there is no token `ann@shop.exmaple`; did you mean `ann@shop.example`?");
    }

    #[test]
    fn a_change_of_the_file_is_noticed_and_a_broken_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut watched = Watched::new(folder.path().to_owned());
        assert_eq!(*watched.look(), Known::None);
        let ann = add(folder.path(), "ann", Role::Operator, 1).unwrap();
        assert_eq!(holder(watched.look(), &ann), Some(("ann".to_owned(), Role::Operator)));
        assert_eq!(holder(watched.look(), "fw_x"), None);
        let bob = add(folder.path(), "bob", Role::Viewer, 2).unwrap();
        assert_eq!(holder(watched.look(), &bob), Some(("bob".to_owned(), Role::Viewer)));
        let good = fs::read(folder.path().join(FILE)).unwrap();
        for broken in ["", "{", "[]", r#"{"version": 2, "tokens": []}"#] {
            fs::write(folder.path().join(FILE), broken).unwrap();
            assert_eq!(
                holder(watched.look(), &ann).map(|(name, _)| name).as_deref(),
                Some("ann"),
                "{broken}"
            );
        }
        fs::write(folder.path().join(FILE), good).unwrap();
        Tokens::edit(folder.path(), |tokens| tokens.revoke("ann")).unwrap();
        assert_eq!(holder(watched.look(), &ann), None);
        assert!(holder(watched.look(), &bob).is_some());
        Tokens::edit(folder.path(), |tokens| tokens.revoke("bob")).unwrap();
        assert_eq!(*watched.look(), Known::Tokens(Tokens::default()), "without tokens it still is a file");
        fs::remove_file(folder.path().join(FILE)).unwrap();
        assert_eq!(*watched.look(), Known::None);
    }

    #[test]
    fn a_file_that_never_was_good_is_not_no_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        let mut watched = Watched::new(folder.path().to_owned());
        assert_eq!(*watched.look(), Known::Never);
        let kept =
            r#"{"version":1,"tokens":[{"name":"a","role":"viewer","created":"","hint":"","sha256":"zz"}]}"#;
        fs::write(folder.path().join(FILE), kept).unwrap();
        assert_eq!(*watched.look(), Known::Never);
        assert!(add(folder.path(), "ann", Role::Admin, 1).unwrap_err().contains("sha256"), "it is not lost");
    }

    #[test]
    fn edits_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for number in 0..8_u8 {
                let state = folder.path();
                scope.spawn(move || add(state, &format!("n{number}"), Role::Viewer, number).unwrap());
            }
        });
        assert_eq!(Tokens::read(folder.path()).unwrap().unwrap().iter().count(), 8);
    }
}
