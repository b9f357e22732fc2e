//! Where people look when they are told something.

use reqwest::Url;

use crate::Project;

/// What the project names, or the model's page of its tracking server; none of a database, which has no pages.
pub(super) fn link(project: &Project) -> Option<String> {
    let named = project.config.notify.link.clone();
    named.or_else(|| page(&project.http_tracking_url()?, &project.config.model.name))
}

/// What is told of a model over time.
fn page(server: &str, model: &str) -> Option<String> {
    let mut url = Url::parse(server).ok()?;
    // The server's address may have one, whose password is hidden; whoever looks signs in as himself.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend(["models", model, "monitoring"]);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_a_page_of_its_own() {
        let of = |server: &str| page(server, "My model?").unwrap();
        assert_eq!(of("https://h:5000/"), "https://h:5000/models/My%20model%3F/monitoring");
        assert_eq!(of("https://***@h"), "https://h/models/My%20model%3F/monitoring");
        assert_eq!(of("https://h/mlflow"), "https://h/mlflow/models/My%20model%3F/monitoring");
        assert_eq!(page("no url", "m"), None);
    }
}
