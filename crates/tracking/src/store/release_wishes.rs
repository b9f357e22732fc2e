//! Releases that are asked for by tags of a model: whoever could not move the alias that moves by one gets no release either,
//! and the tag says who asked, whatever it said. Whoever does it has an account of its own, by whose rights the alias moves
//! in the end: nothing that is checked there says anything of who asked.

use trainyard_base::service::{ReleaseWish, release_wish_tag};
use trainyard_mlflow::entities::Tag;
use trainyard_mlflow::{AliasId, AliasMove, VersionId};

use super::approval_desk::Desk;
use super::database::Connection;
use super::model_version_rows;
use crate::error::{Result, invalid};

/// The tag as it is kept. If others have to agree first this is what is said, and it is asked for.
pub(super) fn taken(
    connection: &mut dyn Connection,
    desk: &Desk,
    model: &str,
    tag: Tag,
) -> Result<Result<Tag, String>> {
    let Some(wish) = ReleaseWish::of_tag(&tag.key, &tag.value) else { return Ok(Ok(tag)) };
    let id = VersionId { name: model, version: &wish.version };
    let version = model_version_rows::find(connection, id)?.number.to_string();
    if let Some(alias) = wish.what.alias() {
        let before = desk.alias_before(connection, AliasId { name: model, alias })?;
        if before.as_ref() != Some(&version) && !desk.is_back(connection, model, alias, &version)? {
            let (model, alias) = (model.to_owned(), alias.to_owned());
            let wanted = AliasMove { model, alias, version };
            if let Some(message) = desk.missing(connection, &wanted)? {
                return Ok(Err(message));
            }
        }
    }
    let wish = ReleaseWish { by: desk.who().to_owned(), ..wish };
    Ok(Ok(Tag::new(tag.key, wish.tag())))
}

/// Refuses a release of a model that is not there yet: nobody could say who may have it.
pub(super) fn check_of_new_model(tag: &Tag) -> Result<()> {
    if ReleaseWish::of_tag(&tag.key, &tag.value).is_none() {
        return Ok(());
    }
    let key = release_wish_tag("");
    invalid!("a tag {key}… asks for a release, and a model that is about to be made has no version")
}
