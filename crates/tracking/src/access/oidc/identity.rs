//! Who verified claims are of: a person of a provider, or a service account of ours.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::fetch::shown;
use super::refused::Refused;
use super::settings::{Account, GOOGLE, Issuer};

/// What columns hold of a subject, in characters; OpenID Connect has 255.
const SUBJECT_CHARACTERS_MAX: usize = 255;
/// Groups that are looked at; what is beyond is no token of a person.
const GROUPS_MAX: usize = 2000;

/// Somebody whom a provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// The provider's URL, and what it calls them. Together they are always the same person.
    pub(super) issuer: String,
    pub(super) subject: String,
    /// What they are called here, if they are new.
    pub(super) username: String,
    /// Of each role that the provider has a say in, whether they have it.
    pub(super) roles: BTreeMap<String, bool>,
    /// The same of groups of ours.
    pub(super) groups: BTreeMap<String, bool>,
    /// Whether they are an administrator, if the provider has a say in that.
    pub(super) is_admin: Option<bool>,
    /// Whether a user of their name is who they are.
    pub(super) may_link: bool,
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The groups of a claim: a list of texts, or one. `realm_access.roles` is a claim in a claim.
fn groups<'a>(claims: &'a Map<String, Value>, name: &str) -> BTreeSet<&'a str> {
    let direct = claims.get(name);
    let within = || {
        let mut names = name.split('.');
        let first = claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    };
    match direct.or_else(within) {
        Some(Value::String(one)) => BTreeSet::from([one.as_str()]),
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).take(GROUPS_MAX).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// Whether claims say all that a person is made of: who they are called, and their groups where those matter.
pub(super) fn says_enough(claims: &Map<String, Value>, issuer: &Issuer) -> bool {
    let needs_groups = !issuer.roles.is_empty()
        || !issuer.groups.is_empty()
        || !issuer.admin_groups.is_empty()
        || !issuer.allowed_groups.is_empty();
    let says_domain = issuer.allowed_domains.is_empty() || domain(claims, issuer).is_some();
    text(claims, &issuer.username_claim).is_some()
        && says_domain
        && (!needs_groups || !groups(claims, &issuer.groups_claim).is_empty())
}

/// Whether the provider has verified an address, if it says.
fn is_verified(claims: &Map<String, Value>) -> Option<bool> {
    match claims.get("email_verified") {
        Some(Value::Bool(is_verified)) => Some(*is_verified),
        // Some providers write it as a text.
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    }
}

/// The domain that somebody is of, in lower case: that of their account (`hd`, of Google), or of their address, where
/// the provider has verified it.
fn domain(claims: &Map<String, Value>, issuer: &Issuer) -> Option<String> {
    let of_account = text(claims, "hd");
    let of_address = || {
        let is_told =
            is_verified(claims) == Some(true) && issuer.url.trim_end_matches('/') != GOOGLE;
        let (_name, domain) = text(claims, "email").filter(|_| is_told)?.rsplit_once('@')?;
        Some(domain)
    };
    of_account.or_else(of_address).map(str::to_ascii_lowercase)
}

/// What claims call somebody.
pub(super) fn subject(claims: &Map<String, Value>) -> Result<&str, Refused> {
    let subject = text(claims, "sub").ok_or_else(|| Refused::token("the token has no subject"))?;
    if subject.chars().count() > SUBJECT_CHARACTERS_MAX {
        let message =
            format!("the token's subject has more than {SUBJECT_CHARACTERS_MAX} characters");
        return Err(Refused::token(message));
    }
    Ok(subject)
}

/// The person of claims, or why they may not sign in.
pub(super) fn person(claims: &Map<String, Value>, issuer: &Issuer) -> Result<Person, Refused> {
    let subject = subject(claims)?;
    let Some(username) = text(claims, &issuer.username_claim) else {
        return Err(Refused::person(format!(
            "the provider does not say the {} of who signs in; ask an administrator of this server for another \
             username_claim",
            issuer.username_claim
        )));
    };
    let is_address = issuer.username_claim == "email";
    let is_verified = is_verified(claims);
    // An address that somebody merely claims is nobody's name.
    if is_address && is_verified == Some(false) {
        return Err(Refused::person(format!(
            "{} is not verified at the provider",
            shown(username)
        )));
    }
    let theirs = groups(claims, &issuer.groups_claim);
    let is_in = |listed: &[String]| listed.iter().any(|group| theirs.contains(group.as_str()));
    if !issuer.allowed_groups.is_empty() && !is_in(&issuer.allowed_groups) {
        return Err(Refused::person(format!(
            "{} is in none of the groups that may sign in here",
            shown(username)
        )));
    }
    if !issuer.allowed_domains.is_empty() {
        let theirs = domain(claims, issuer);
        let is_listed = |domain: &String| {
            issuer.allowed_domains.iter().any(|listed| listed.eq_ignore_ascii_case(domain))
        };
        if !theirs.as_ref().is_some_and(is_listed) {
            return Err(Refused::person(format!(
                "{} is of none of the domains that may sign in here",
                shown(username)
            )));
        }
    }
    let given = |by_group: &BTreeMap<String, Vec<String>>| {
        let mut all = BTreeMap::new();
        for (group, given) in by_group {
            for name in given {
                *all.entry(name.clone()).or_insert(false) |= theirs.contains(group.as_str());
            }
        }
        all
    };
    Ok(Person {
        issuer: issuer.url.clone(),
        subject: subject.to_owned(),
        username: username.to_owned(),
        roles: given(&issuer.roles),
        groups: given(&issuer.groups),
        is_admin: (!issuer.admin_groups.is_empty()).then(|| is_in(&issuer.admin_groups)),
        // Providers that say nothing let people write what they like.
        may_link: issuer.link_users && (!is_address || is_verified == Some(true)),
    })
}

/// The account of claims.
pub(super) fn account<'a>(
    claims: &Map<String, Value>,
    issuer: &'a Issuer,
) -> Result<&'a Account, Refused> {
    let matches = |account: &&Account| {
        account.claims.iter().all(|(name, wanted)| {
            text(claims, name).is_some_and(|found| match wanted.strip_suffix('*') {
                Some(begin) => found.starts_with(begin),
                None => found == wanted,
            })
        })
    };
    issuer.accounts.iter().find(matches).ok_or_else(|| {
        let subject = text(claims, "sub").unwrap_or("nobody");
        Refused::person(format!(
            "no [[issuer.account]] of '{}' is for the claims of this token (sub: {})",
            issuer.name,
            shown(subject)
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access::oidc::settings::OidcConfig;

    const COMPANY: &str = "public_url = 'https://m.example.com'\n[[issuer]]\nname = 'company'\n\
        url = 'https://id.example.com'\nclient_id = 'trainyard'\n\
        roles = { team = ['scientists', 'readers'], guests = ['readers'] }\n";
    const CI: &str = "[[issuer]]\nname = 'github'\n\
        url = 'https://token.actions.githubusercontent.com'\naudiences = ['a']\n\
        [[issuer.account]]\nuser = 'release'\nscope = 'MANAGE'\n\
        claims = { repository = 'example/iris', environment = 'production' }\n\
        [[issuer.account]]\nuser = 'ci'\nscope = 'EDIT'\n\
        claims = { repository = 'example/iris', ref = 'refs/heads/*' }\n";

    fn issuer(text: &str) -> Issuer {
        OidcConfig::parse(text).unwrap().issuers.remove(0)
    }

    fn who(text: &str, claims: &Value) -> Result<Person, Refused> {
        person(claims.as_object().unwrap(), &issuer(text))
    }

    #[test]
    fn groups_are_roles_and_what_they_do_not_give_they_take() {
        let claims = json!({ "sub": "1", "preferred_username": "ada", "groups": ["guests", "x"] });
        let ada = who(COMPANY, &claims).unwrap();
        let roles: Vec<_> = ada.roles.iter().map(|(role, has)| (role.as_str(), *has)).collect();
        assert_eq!(roles, [("readers", true), ("scientists", false)]);
        assert_eq!((ada.username.as_str(), ada.is_admin), ("ada", None));
        let named = format!("{COMPANY}groups = {{ guests = ['visitors'], team = ['ml'] }}\n");
        let ada = who(&named, &claims).unwrap();
        let groups: Vec<_> =
            ada.groups.iter().map(|(name, is_in)| (name.as_str(), *is_in)).collect();
        assert_eq!(groups, [("ml", false), ("visitors", true)]);
        let nested =
            format!("{COMPANY}groups_claim = 'realm_access.roles'\nadmin_groups = ['ops']\n");
        let claims = json!({
            "sub": "1", "preferred_username": "ada", "realm_access": { "roles": ["team", "ops"] },
        });
        let ada = who(&nested, &claims).unwrap();
        assert!(ada.roles.values().all(|has| *has));
        assert_eq!(ada.is_admin, Some(true));
        let claims = json!({ "sub": "1", "preferred_username": "ada", "realm_access": "ops" });
        assert_eq!(who(&nested, &claims).unwrap().is_admin, Some(false));
    }

    #[test]
    fn who_is_nobody_or_not_allowed_is_refused() {
        let allowed = format!("{COMPANY}allowed_groups = ['team']\n");
        let email = format!("{COMPANY}username_claim = 'email'\n");
        for (settings, claims) in [
            (COMPANY, json!({ "preferred_username": "ada" })),
            (COMPANY, json!({ "sub": "x".repeat(256), "preferred_username": "ada" })),
            (COMPANY, json!({ "sub": "1" })),
            (COMPANY, json!({ "sub": "1", "preferred_username": 7 })),
            (allowed.as_str(), json!({ "sub": "1", "preferred_username": "ada", "groups": ["x"] })),
            (email.as_str(), json!({ "sub": "1", "email": "a@b.c", "email_verified": false })),
            (email.as_str(), json!({ "sub": "1", "email": "a@b.c", "email_verified": "false" })),
        ] {
            assert!(who(settings, &claims).is_err(), "{claims}");
        }
        // One that nobody vouches for is a name, and nobody's who is here already.
        let linked = format!("{email}link_users = true\n");
        for (verified, may_link) in
            [(json!(null), false), (json!(true), true), (json!("true"), true)]
        {
            let claims = json!({ "sub": "1", "email": "a@b.c", "email_verified": verified });
            assert_eq!(who(&linked, &claims).unwrap().may_link, may_link, "{claims}");
        }
    }

    #[test]
    fn only_those_of_a_domain_sign_in_where_domains_are_listed() {
        let company = format!("{COMPANY}allowed_domains = ['Example.com']\n");
        let google = company.replace("https://id.example.com", "https://accounts.google.com");
        for (settings, more, may) in [
            (&company, json!({ "email": "ada@example.com", "email_verified": true }), true),
            (&company, json!({ "email": "ada@EXAMPLE.COM", "email_verified": "true" }), true),
            (&company, json!({ "hd": "example.com" }), true),
            (&company, json!({ "email": "ada@example.com" }), false),
            (&company, json!({ "email": "ada@example.com", "email_verified": false }), false),
            (&company, json!({ "email": "ada@sub.example.com", "email_verified": true }), false),
            (&company, json!({ "email": "example.com", "email_verified": true }), false),
            (&company, json!({}), false),
            (&google, json!({ "hd": "example.com" }), true),
            (&google, json!({ "email": "ada@example.com", "email_verified": true }), false),
            (&google, json!({ "hd": "other.com", "email": "ada@example.com" }), false),
        ] {
            let mut claims = json!({ "sub": "1", "preferred_username": "ada" });
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(who(settings, &claims).is_ok(), may, "{claims}");
        }
    }

    #[test]
    fn a_workflow_is_the_first_account_all_of_whose_claims_it_has() {
        let issuer = issuer(CI);
        let name = |claims: Value| {
            let found = account(claims.as_object().unwrap(), &issuer);
            found.map(|account| account.user.clone()).ok()
        };
        for (claims, user) in [
            (json!({ "repository": "example/iris", "environment": "production" }), Some("release")),
            (json!({ "repository": "example/iris", "ref": "refs/heads/main" }), Some("ci")),
            (json!({ "repository": "example/iris", "ref": "refs/pull/1/merge" }), None),
            (json!({ "repository": "example/iris-evil", "ref": "refs/heads/main" }), None),
            (json!({ "ref": "refs/heads/main", "environment": "production" }), None),
            (json!({ "repository": ["example/iris"], "environment": "production" }), None),
            (json!({}), None),
        ] {
            assert_eq!(name(claims.clone()).as_deref(), user, "{claims}");
        }
    }
}
