//! Which providers there are, whom of theirs the server lets in, and as what: a file in TOML.
//!
//! ```toml
//! public_url = "https://mlflow.example.com"   # where browsers find this server
//!
//! [[issuer]]
//! name = "company"
//! url = "https://id.example.com/realms/company"
//! client_id = "trainyard"
//! client_secret_file = "client-secret"
//! groups_claim = "groups"
//! roles = { "ml-team" = ["scientists"] }
//! admin_groups = ["ml-admins"]
//!
//! [[issuer]]
//! name = "github"
//! url = "https://token.actions.githubusercontent.com"
//! audiences = ["https://mlflow.example.com"]
//!
//! [[issuer.account]]
//! user = "ci"
//! scope = "EDIT"
//! claims = { repository = "example/iris", ref = "refs/heads/main" }
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use trainyard_mlflow::{Error, Result, provider_url};
use url::Url;

use crate::access::scope::check_scope;
use crate::error::invalid;

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Providers of a server: one for people and one for each CI is usual.
const ISSUERS_MAX: usize = 20;
/// Accounts of a provider.
const ACCOUNTS_MAX: usize = 1000;
/// Hours of a session of pages, if nothing else is said: a working day.
const SESSION_HOURS: i64 = 12;
/// The most that may be said: a month.
const SESSION_HOURS_MAX: i64 = 31 * 24;
/// Days for which tokens of somebody go on after a provider last knew them, if nothing else is said.
pub(crate) const TOKEN_DAYS: i64 = 30;
/// The most that may be said: ten years.
const TOKEN_DAYS_MAX: i64 = 3660;
/// The same of tokens that a sign-in on the command line gives.
const TOKEN_HOURS_MAX: i64 = 24;
/// A CI whose tokens everybody's jobs get, so an account has to say whose.
struct PublicCi {
    name: &'static str,
    url: &'static str,
    /// Claims by which an account says whose jobs they are.
    owners: &'static [&'static str],
    /// Whether it has people, too.
    has_people: bool,
}

static PUBLIC_CIS: [PublicCi; 2] = [
    PublicCi {
        name: "GitHub Actions",
        url: "https://token.actions.githubusercontent.com",
        owners: &["repository", "repository_id", "repository_owner", "repository_owner_id", "sub"],
        has_people: false,
    },
    PublicCi {
        name: "GitLab.com",
        url: "https://gitlab.com",
        owners: &["project_path", "project_id", "namespace_path", "namespace_id", "sub"],
        has_people: true,
    },
];
/// Google, where `hd` says whose account it is: an address at a company may be of somebody who has left it.
pub(super) const GOOGLE: &str = "https://accounts.google.com";
/// Providers at which anybody has an account, or makes one: the last two are Microsoft's for people without a company.
const EVERYBODYS: [&str; 4] = [
    GOOGLE,
    "https://gitlab.com",
    "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
    "https://login.live.com",
];

/// Providers, and what they may say.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// Where browsers find this server, with its static prefix. Pages need it.
    public_url: Option<String>,
    #[serde(default = "session_hours")]
    pub(super) session_hours: i64,
    /// Days after their last sign-in at which tokens of the providers' people end, whatever else they say: somebody whom
    /// a provider let go signs in no more.
    #[serde(default = "token_days")]
    pub(super) token_days: i64,
    #[serde(default, rename = "issuer")]
    pub(super) issuers: Vec<Issuer>,
    /// The file, and those of secrets.
    #[serde(skip)]
    files: Vec<PathBuf>,
}

/// Without secrets.
impl fmt::Debug for OidcConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
        f.debug_struct("OidcConfig").field("issuers", &names).finish_non_exhaustive()
    }
}

/// A provider.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issuer {
    /// In addresses of pages, logs and names of tokens.
    pub(super) name: String,
    /// As it writes itself in tokens.
    pub(super) url: String,
    /// What this server is there, for pages.
    pub(super) client_id: Option<String>,
    /// What `trainyard login` is there; the same if it is left out and there is no secret.
    pub(super) device_client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    #[serde(skip)]
    pub(super) client_secret: Option<String>,
    /// Whom tokens are for; the clients' ids if it is left out.
    #[serde(default)]
    pub(super) audiences: Vec<String>,
    #[serde(default = "scopes")]
    pub(super) scopes: Vec<String>,
    #[serde(default = "username_claim")]
    pub(super) username_claim: String,
    #[serde(default = "groups_claim")]
    pub(super) groups_claim: String,
    /// Roles of those in a group.
    #[serde(default)]
    pub(super) roles: BTreeMap<String, Vec<String>>,
    /// Groups of ours that those in a group are in.
    #[serde(default)]
    pub(super) groups: BTreeMap<String, Vec<String>>,
    /// Who is in one of these is an administrator, and of this provider's people nobody else.
    #[serde(default)]
    pub(super) admin_groups: Vec<String>,
    /// Who may sign in at all; everybody if it is empty.
    #[serde(default)]
    pub(super) allowed_groups: Vec<String>,
    /// Domains of those who may sign in at all: `hd` of their account, or that of a verified address; any if it is empty.
    #[serde(default)]
    pub(super) allowed_domains: Vec<String>,
    /// Whether somebody of whom there is a user of the same name already is that user.
    #[serde(default)]
    pub(super) link_users: bool,
    /// What its tokens are, if they are not of people.
    #[serde(default, rename = "account")]
    pub(super) accounts: Vec<Account>,
}

/// Without the secret.
impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("name", &self.name)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A service account, and who acts as it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    pub(super) user: String,
    /// The most that it may do.
    pub(super) scope: String,
    /// What a token has to claim, all of it: exactly that, or with a `*` at the end, what begins so.
    pub(super) claims: BTreeMap<String, String>,
    /// Hours of a token that it is given by `trainyard login`.
    #[serde(default = "account_hours")]
    pub(super) hours: i64,
}

fn session_hours() -> i64 {
    SESSION_HOURS
}

fn token_days() -> i64 {
    TOKEN_DAYS
}

fn account_hours() -> i64 {
    1
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn username_claim() -> String {
    "preferred_username".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

impl OidcConfig {
    /// Reads a file, and those that it names.
    pub fn read(path: &Path) -> Result<Self> {
        let text = text_of(path)?;
        let shown = |error: Error| Error::invalid(format!("{}: {error}", path.display()));
        let mut config = Self::parse(&text).map_err(shown)?;
        config.files.push(path.to_owned());
        let folder = path.parent().unwrap_or(Path::new(""));
        for issuer in &mut config.issuers {
            let Some(file) = &issuer.client_secret_file else { continue };
            let file = folder.join(file);
            let secret = text_of(&file)?.trim().to_owned();
            if secret.is_empty() {
                return invalid!("{} is empty; it should hold the client's secret", file.display());
            }
            issuer.client_secret = Some(secret);
            config.files.push(file);
        }
        Ok(config)
    }

    /// The settings of a text. Files that it names are not read.
    pub fn parse(text: &str) -> Result<Self> {
        let mut config: Self =
            toml::from_str(text).map_err(|error| Error::invalid(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&mut self) -> Result<()> {
        if self.issuers.is_empty() || self.issuers.len() > ISSUERS_MAX {
            return invalid!(
                "there are from 1 to {ISSUERS_MAX} [[issuer]], not {}",
                self.issuers.len()
            );
        }
        if !(1..=SESSION_HOURS_MAX).contains(&self.session_hours) {
            return invalid!(
                "session_hours is from 1 to {SESSION_HOURS_MAX}, not {}",
                self.session_hours
            );
        }
        if !(1..=TOKEN_DAYS_MAX).contains(&self.token_days) {
            return invalid!("token_days is from 1 to {TOKEN_DAYS_MAX}, not {}", self.token_days);
        }
        if let Some(url) = &self.public_url {
            let checked = provider_url(url)
                .map_err(|error| Error::invalid(format!("public_url: {error}")))?;
            if checked.query().is_some() {
                return invalid!("public_url has a query: {url}");
            }
        }
        let has_pages = self.public_url.is_some();
        for (number, issuer) in self.issuers.iter_mut().enumerate() {
            issuer
                .check(has_pages)
                .map_err(|error| Error::invalid(format!("[[issuer]] {}: {error}", number + 1)))?;
        }
        for (number, issuer) in self.issuers.iter().enumerate() {
            let is_same = |other: &Issuer| other.name == issuer.name || other.url == issuer.url;
            if self.issuers.iter().take(number).any(is_same) {
                return invalid!("two [[issuer]] have the name or the url of '{}'", issuer.name);
            }
        }
        Ok(())
    }

    /// Where browsers find this server, without a slash at its end; none if nobody said.
    pub(crate) fn public_url(&self) -> Option<&str> {
        self.public_url.as_deref().map(|url| url.trim_end_matches('/'))
    }

    /// Whether a provider says who is an administrator.
    pub(crate) fn names_admins(&self) -> bool {
        self.issuers.iter().any(|issuer| !issuer.admin_groups.is_empty())
    }

    /// Names of providers by which anybody on earth may sign in.
    pub fn open_to_everybody(&self) -> Vec<&str> {
        let open = self.issuers.iter().filter(|issuer| issuer.is_open_to_everybody());
        open.map(|issuer| issuer.name.as_str()).collect()
    }

    /// Files that are nobody's business.
    pub fn private_files(&self) -> &[PathBuf] {
        &self.files
    }
}

fn text_of(path: &Path) -> Result<String> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    if metadata.len() > FILE_BYTES_MAX {
        return invalid!("{} is larger than {FILE_BYTES_MAX} bytes", path.display());
    }
    std::fs::read_to_string(path).map_err(|error| Error::io(path, error))
}

impl Issuer {
    fn check(&mut self, has_pages: bool) -> Result<()> {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || self.name.len() > 32 || !self.name.chars().all(is_name) {
            return invalid!("name is 1 to 32 of a to z, 0 to 9 and '-', not {:?}", self.name);
        }
        provider_url(&self.url).map_err(Error::invalid)?;
        if self.accounts.is_empty() && self.client_id.is_none() && self.audiences.is_empty() {
            return invalid!(
                "client_id is missing, by which its tokens are known to be for this server"
            );
        }
        if self.client_id.is_some() && self.accounts.is_empty() && !has_pages {
            return invalid!("public_url is missing, to which browsers are sent back");
        }
        if self.device_client_id.is_none() && self.client_secret_file.is_none() {
            self.device_client_id.clone_from(&self.client_id);
        }
        if self.audiences.is_empty() {
            self.audiences.extend(self.client_id.clone());
            self.audiences.extend(self.device_client_id.clone());
            self.audiences.dedup();
        }
        if self.audiences.is_empty() {
            return invalid!("audiences is missing: whom its tokens are for");
        }
        if self.audiences.iter().any(|audience| audience.trim().is_empty()) {
            return invalid!("audiences has an empty one");
        }
        if self.accounts.len() > ACCOUNTS_MAX {
            return invalid!("there are at most {ACCOUNTS_MAX} accounts");
        }
        let is_domain = |domain: &String| domain.contains('.') && !domain.contains(['@', '*', ' ']);
        if let Some(domain) = self.allowed_domains.iter().find(|domain| !is_domain(domain)) {
            return invalid!(
                "allowed_domains are whole domains, such as example.com, not {domain:?}"
            );
        }
        let url = self.url.trim_end_matches('/');
        let ci = PUBLIC_CIS.iter().find(|ci| {
            url.strip_prefix(ci.url).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if let Some(ci) = ci.filter(|ci| !ci.has_people && self.accounts.is_empty()) {
            return invalid!(
                "tokens of {} are of no person: [[issuer.account]] is missing",
                ci.name
            );
        }
        self.accounts.iter().try_for_each(|account| account.check(ci))
    }

    /// Whether anybody on earth may sign in by it.
    fn is_open_to_everybody(&self) -> bool {
        EVERYBODYS.contains(&self.url.trim_end_matches('/'))
            && self.accounts.is_empty()
            && self.allowed_groups.is_empty()
            && self.allowed_domains.is_empty()
    }

    /// Whether it has people who sign in on pages.
    pub(super) fn has_pages(&self) -> bool {
        self.client_id.is_some() && self.accounts.is_empty()
    }

    /// Its URL, which was checked.
    pub(super) fn discovery_url(&self) -> std::result::Result<Url, String> {
        provider_url(&format!(
            "{}/.well-known/openid-configuration",
            self.url.trim_end_matches('/')
        ))
    }
}

impl Account {
    fn check(&self, ci: Option<&PublicCi>) -> Result<()> {
        check_scope(&self.scope)?;
        if self.user.is_empty() {
            return invalid!("the user of an account is empty");
        }
        if !(1..=TOKEN_HOURS_MAX).contains(&self.hours) {
            return invalid!(
                "hours of '{}' is from 1 to {TOKEN_HOURS_MAX}, not {}",
                self.user,
                self.hours
            );
        }
        if self.claims.is_empty() {
            return invalid!("claims of '{}' is empty: anybody's token would do", self.user);
        }
        for (claim, wanted) in &self.claims {
            let begin = wanted.strip_suffix('*').unwrap_or(wanted);
            // What begins like an owner's name may be another's.
            let is_half_a_name = ci.is_some_and(|ci| ci.owners.contains(&claim.as_str()))
                && begin != wanted
                && !begin.contains('/');
            if begin.is_empty() || begin.contains('*') || is_half_a_name {
                return invalid!(
                    "claims of '{}': {claim} = {wanted:?} is for anything; a '*' stands at the end, behind \
                     something, and behind 'owner/' where it is about whose repository",
                    self.user
                );
            }
        }
        let names_owner =
            |ci: &&PublicCi| ci.owners.iter().any(|claim| self.claims.contains_key(*claim));
        if let Some(ci) = ci.filter(|ci| !names_owner(ci)) {
            return invalid!(
                "claims of '{}' do not say whose workflow it is, and everybody's at {} has such tokens; add one of {}",
                self.user,
                ci.name,
                ci.owners.join(", ")
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEOPLE: &str = "public_url = 'https://m.example.com/'\n[[issuer]]\nname = 'company'\n\
                          url = 'https://id.example.com'\nclient_id = 'trainyard'\n";
    const GITHUB_ISSUER: &str = "[[issuer]]\nname = 'github'\n\
                                 url = 'https://token.actions.githubusercontent.com'\n\
                                 audiences = ['https://m.example.com']\n";

    fn account(claims: &str) -> String {
        format!(
            "{GITHUB_ISSUER}[[issuer.account]]\nuser = 'ci'\nscope = 'EDIT'\nclaims = {{ {claims} }}\n"
        )
    }

    fn gitlab(claims: &str) -> String {
        account(claims).replace("https://token.actions.githubusercontent.com", "https://gitlab.com")
    }

    #[test]
    fn providers_of_everybody_are_known() {
        let open = |url: &str, line: &str| {
            let text = PEOPLE.replace("https://id.example.com", url);
            !OidcConfig::parse(&format!("{text}{line}")).unwrap().open_to_everybody().is_empty()
        };
        for url in EVERYBODYS {
            assert!(open(url, ""), "{url}");
            assert!(open(&format!("{url}/"), ""), "{url}");
            assert!(!open(url, "allowed_domains = ['example.com']"), "{url}");
            assert!(!open(url, "allowed_groups = ['team']"), "{url}");
        }
        assert!(!open("https://id.example.com", ""));
        let jobs = OidcConfig::parse(&gitlab("project_path = 'example/iris'")).unwrap();
        assert_eq!(jobs.open_to_everybody(), [""; 0]);
    }

    #[test]
    fn what_is_left_out_is_what_is_usual() {
        let config = OidcConfig::parse(PEOPLE).unwrap();
        assert_eq!(config.public_url(), Some("https://m.example.com"));
        let issuer = &config.issuers[0];
        assert_eq!(issuer.audiences, ["trainyard"]);
        assert_eq!(issuer.device_client_id.as_deref(), Some("trainyard"));
        assert!(issuer.has_pages());
        let config = OidcConfig::parse(&account("repository = 'example/iris'")).unwrap();
        assert!(!config.issuers[0].has_pages());
        assert_eq!(config.issuers[0].accounts[0].hours, 1);
    }

    #[test]
    fn what_would_let_in_others_than_its_writer_meant_is_refused() {
        let people = |line: &str| format!("{PEOPLE}{line}");
        for (text, reason) in [
            (String::new(), "[[issuer]]"),
            (format!("token_days = 0\n{PEOPLE}"), "token_days"),
            (people("clientid = 'x'"), "unknown field"),
            (PEOPLE.replace("https://id", "http://id"), "http"),
            (PEOPLE.replace("public_url = 'https://m.example.com/'", ""), "public_url"),
            (PEOPLE.replace("client_id = 'trainyard'", ""), "client_id"),
            (PEOPLE.replace("'company'", "'Comp any'"), "name is"),
            (people("audiences = ['']"), "empty"),
            (format!("{PEOPLE}{}", PEOPLE.split_once('\n').unwrap().1), "two [[issuer]]"),
            (GITHUB_ISSUER.to_owned(), "no person"),
            (account(""), "anybody's"),
            (account("ref = 'refs/heads/main'"), "whose workflow"),
            (account("repository = '*'"), "anything"),
            (account("repository = 'ex*mple/iris'"), "behind"),
            (account("repository = 'example*'"), "behind"),
            (account("repository_owner = 'ex*'"), "behind"),
            (account("repository = 'example/iris'").replace("'EDIT'", "'WRITE'"), "Invalid scope"),
            (gitlab("ref = 'main'"), "whose workflow"),
            (gitlab("project_path = 'example*'"), "behind"),
            (gitlab("sub = 'project_path:ex*'"), "behind"),
            (people("allowed_domains = ['@example.com']"), "whole domains"),
            (people("allowed_domains = ['*.example.com']"), "whole domains"),
        ] {
            let error = OidcConfig::parse(&text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_secret_is_read_from_its_file_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("oidc.toml");
        std::fs::write(&file, format!("{PEOPLE}client_secret_file = 'secret'\n")).unwrap();
        assert!(OidcConfig::read(&file).is_err(), "it is not there yet");
        std::fs::write(folder.path().join("secret"), "between us\n").unwrap();
        let config = OidcConfig::read(&file).unwrap();
        assert_eq!(config.issuers[0].client_secret.as_deref(), Some("between us"));
        assert_eq!(config.issuers[0].device_client_id, None, "a program on a desk keeps no secret");
        assert!(!format!("{config:?}").contains("between us"));
        assert_eq!(config.private_files().len(), 2);
    }
}
