//! Where approval is asked for and given, and what a protected alias needs before it moves.
//!
//! A request is for one version of one alias (or stage), and for the version as it was when it was asked for: a
//! model that is made anew under the same name has other versions. It ends when the alias moves.

use trainyard_mlflow::entities::{Approval, ApprovalRequest};
use trainyard_mlflow::{AliasId, AliasMove, Error, ErrorCode, VersionId};

use super::audit::{Auditor, Change};
use super::clock::now_millis;
use super::database::{Connection, Value};
use super::model_version_rows;
use super::registered_model_rows::is_prompt;
use super::schema::WORKSPACE;
use super::validate;
use crate::error::{Result, invalid};
use crate::governance::Governance;

/// An alias came to point somewhere.
pub(super) const ALIAS_SET: &str = "alias.set";
/// It went back to where it was before its last move.
pub(super) const ALIAS_BACK: &str = "alias.back";

/// Longest reason, in characters: one that people read.
const REASON_CHARACTERS_MAX: usize = 1000;

/// Where one origin asks and agrees.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) governance: Governance,
    pub(super) auditor: Auditor,
}

/// A version that an alias is to point at.
#[derive(Debug)]
struct Target<'a> {
    wanted: &'a AliasMove,
    number: i64,
    /// When the version was made.
    made_at: i64,
}

impl<'a> Target<'a> {
    fn find(connection: &mut dyn Connection, wanted: &'a AliasMove) -> Result<Self> {
        validate::alias(&wanted.alias)?;
        let id = VersionId { name: &wanted.model, version: &wanted.version };
        let found = model_version_rows::find(connection, id)?;
        Ok(Self { wanted, number: found.number, made_at: found.version.creation_timestamp })
    }

    fn key(&self) -> [Value<'a>; 3] {
        [(&self.wanted.model).into(), (&self.wanted.alias).into(), self.number.into()]
    }

    fn change(&self, action: &'static str) -> Change {
        let change = Change::of_model(action, &self.wanted.model);
        change.part("approval", &self.wanted.alias).part("version", self.number)
    }

    fn forget(&self, connection: &mut dyn Connection) -> Result<()> {
        forget(connection, &self.key())
    }
}

/// Ends a request.
fn forget(connection: &mut dyn Connection, key: &[Value<'_>]) -> Result<()> {
    for table in ["trainyard_approvals", "trainyard_approval_requests"] {
        let sql = format!("DELETE FROM {table} WHERE model = ?1 AND alias = ?2 AND version = ?3");
        connection.execute(&sql, key)?;
    }
    Ok(())
}

/// Ends what was asked for, once it has come about.
pub(super) fn settle(
    connection: &mut dyn Connection,
    model: &str,
    alias: &str,
    number: i64,
) -> Result<()> {
    forget(connection, &[model.into(), alias.into(), number.into()])
}

impl Desk {
    /// Who asks; empty if nobody has to say.
    pub(super) fn who(&self) -> &str {
        self.auditor.origin().who()
    }

    /// The version that an alias points at, where anybody wants to know.
    pub(super) fn alias_before(
        &self,
        connection: &mut dyn Connection,
        AliasId { name, alias }: AliasId<'_>,
    ) -> Result<Option<String>> {
        if !self.auditor.is_on() && self.governance.protected.is_empty() {
            return Ok(None);
        }
        let sql = "SELECT version FROM registered_model_aliases \
                   WHERE workspace = ?1 AND name = ?2 AND alias = ?3";
        let values: [Value<'_>; 3] = [WORKSPACE.into(), name.into(), alias.into()];
        connection.first(sql, &values, |row| Ok(row.need_int(0)?.to_string()))
    }

    /// The request, if one is open for the version as it is.
    fn find(
        &self,
        connection: &mut dyn Connection,
        target: &Target<'_>,
    ) -> Result<Option<ApprovalRequest>> {
        let sql = "SELECT requester, requested_at, reason, made_at \
                   FROM trainyard_approval_requests WHERE model = ?1 AND alias = ?2 AND version = ?3";
        let found = connection.first(sql, &target.key(), |row| {
            let request = ApprovalRequest {
                model: target.wanted.model.clone(),
                alias: target.wanted.alias.clone(),
                version: target.number.to_string(),
                requester: row.need_text(0)?,
                requested_at: row.need_int(1)?,
                reason: row.need_text(2)?,
                needed: self.governance.needed(&target.wanted.alias).unwrap_or_default(),
                approvals: Vec::new(),
                is_prompt: false,
            };
            Ok((request, row.need_int(3)?))
        })?;
        match found {
            Some((mut request, made_at)) if made_at == target.made_at => {
                request.approvals = approvals(connection, &target.key())?;
                request.is_prompt = is_prompt(connection, &request.model)?;
                self.governance.keep_counted(&mut request);
                Ok(Some(request))
            }
            Some(_of_an_earlier_model) => {
                target.forget(connection)?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    pub(super) fn request(
        &self,
        connection: &mut dyn Connection,
        wanted: &AliasMove,
        reason: &str,
    ) -> Result<ApprovalRequest> {
        check_reason(reason)?;
        let target = Target::find(connection, wanted)?;
        if let Some(known) = self.find(connection, &target)? {
            return Ok(known);
        }
        let [model, alias, number] = target.key();
        connection.execute(
            "INSERT INTO trainyard_approval_requests (model, alias, version, made_at, requester, \
             requested_at, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            &[
                model,
                alias,
                number,
                target.made_at.into(),
                self.who().into(),
                now_millis().into(),
                reason.into(),
            ],
        )?;
        let made = self.find(connection, &target)?;
        let change = target.change("approval.request").after(reason.to_owned());
        self.auditor.note(connection, vec![change])?;
        made.ok_or_else(|| crate::Error::database("a request for approval is not there"))
    }

    pub(super) fn approve(
        &self,
        connection: &mut dyn Connection,
        wanted: &AliasMove,
        reason: &str,
    ) -> Result<ApprovalRequest> {
        check_reason(reason)?;
        self.check_person()?;
        let target = Target::find(connection, wanted)?;
        let request = self.find(connection, &target)?.ok_or_else(|| not_asked(wanted))?;
        if request.requester == self.who() {
            return Err(denied(format!(
                "{} asked for it, and cannot approve it as well: another person has to",
                self.who()
            )));
        }
        let [model, alias, number] = target.key();
        let inserted = connection.execute(
            "INSERT INTO trainyard_approvals (model, alias, version, who, at, reason) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            &[model, alias, number, self.who().into(), now_millis().into(), reason.into()],
        )?;
        if inserted == 0 {
            return Err(Error::already_exists(format!(
                "{} has approved it already, and counts once",
                self.who()
            ))
            .into());
        }
        let made = self.find(connection, &target)?;
        let change = target.change("approval.approve").after(reason.to_owned());
        self.auditor.note(connection, vec![change])?;
        made.ok_or_else(|| not_asked(wanted))
    }

    pub(super) fn reject(
        &self,
        connection: &mut dyn Connection,
        wanted: &AliasMove,
        reason: &str,
    ) -> Result<()> {
        check_reason(reason)?;
        self.check_person()?;
        let target = Target::find(connection, wanted)?;
        self.find(connection, &target)?.ok_or_else(|| not_asked(wanted))?;
        target.forget(connection)?;
        let change = target.change("approval.reject").after(reason.to_owned());
        self.auditor.note(connection, vec![change])
    }

    fn check_person(&self) -> Result<()> {
        if self.auditor.origin().is_person() {
            return Ok(());
        }
        Err(denied(
            "approvals are given by people: sign in with a name and password, not with a token"
                .to_owned(),
        ))
    }

    /// Whether a move has what it needs; if not, it is asked for, and this is what whoever wants it is told.
    pub(super) fn missing(
        &self,
        connection: &mut dyn Connection,
        wanted: &AliasMove,
    ) -> Result<Option<String>> {
        let Some(needed) = self.governance.needed(&wanted.alias) else { return Ok(None) };
        let request = self.request(connection, wanted, "")?;
        // Who moves it is no other person, whoever asked.
        let counted = request.approvals.iter().filter(|approval| approval.who != self.who());
        let given: Vec<&str> = counted.map(|approval| approval.who.as_str()).collect();
        if i64::try_from(given.len()).unwrap_or(i64::MAX) >= needed {
            return Ok(None);
        }
        let AliasMove { model, alias, version } = wanted;
        let so_far = match given.as_slice() {
            [] => "nobody has yet".to_owned(),
            names => format!("so far: {}", names.join(", ")),
        };
        let others = if needed == 1 { "another person" } else { "other people" };
        Ok(Some(format!(
            "{alias} of {model} is protected: {needed} approval(s) of {others} are needed before it \
             moves to version {version}; {so_far}. It is asked for now. To approve: `trainyard approvals \
             approve {model} {alias} {version}`, or POST /api/trainyard/approvals/approve. Then move it \
             again."
        )))
    }

    /// Whether a protected alias would go back to where it was before its last move, which nobody has to approve
    /// again: traffic goes back at night, too. From there on it needs approval like any move.
    pub(super) fn is_back(
        &self,
        connection: &mut dyn Connection,
        model: &str,
        alias: &str,
        version: &str,
    ) -> Result<bool> {
        if self.governance.needed(alias).is_none() {
            return Ok(false);
        }
        let (subject, part) = (format!("model:{model}"), format!("alias:{alias}"));
        let last = connection.first(
            "SELECT action, before FROM trainyard_audit WHERE subject = ?1 AND part = ?2 \
             ORDER BY id DESC LIMIT 1",
            &[subject.into(), part.into()],
            |row| Ok((row.need_text(0)?, row.optional_text(1)?)),
        )?;
        Ok(last.is_some_and(|(action, before)| {
            action == ALIAS_SET && before.as_deref() == Some(version)
        }))
    }

    /// Refuses what would take a protected alias away.
    pub(super) fn check_stays(&self, model: &str, alias: &str, what: &str) -> Result<()> {
        if self.governance.needed(alias).is_none() {
            return Ok(());
        }
        Err(denied(format!(
            "{alias} of {model} is protected, so {what}: move {alias} to another version with approvals \
             first, or ask whoever runs the server (its --protect-alias names it)"
        )))
    }
}

fn denied(message: String) -> crate::Error {
    Error::api(ErrorCode::PermissionDenied, message).into()
}

fn not_asked(wanted: &AliasMove) -> crate::Error {
    let AliasMove { model, alias, version } = wanted;
    Error::not_found(format!(
        "nobody asked for {alias} of {model} to move to version {version}; `trainyard approvals request \
         {model} {alias} {version}` does"
    ))
    .into()
}

fn check_reason(reason: &str) -> Result<()> {
    let length = reason.chars().count();
    if length <= REASON_CHARACTERS_MAX {
        return Ok(());
    }
    invalid!("the reason has {length} characters; {REASON_CHARACTERS_MAX} are the most")
}

/// Takes back what somebody agreed to: they are no user any more, and whoever has the name later is another one.
pub(super) fn withdraw(connection: &mut dyn Connection, who: &str) -> Result<()> {
    connection.execute("DELETE FROM trainyard_approvals WHERE who = ?1", &[who.into()])?;
    Ok(())
}

fn approvals(connection: &mut dyn Connection, key: &[Value<'_>]) -> Result<Vec<Approval>> {
    let sql = "SELECT who, at, reason FROM trainyard_approvals \
               WHERE model = ?1 AND alias = ?2 AND version = ?3 ORDER BY at, who";
    connection.rows(sql, key, |row| {
        Ok(Approval { who: row.need_text(0)?, at: row.need_int(1)?, reason: row.need_text(2)? })
    })
}
