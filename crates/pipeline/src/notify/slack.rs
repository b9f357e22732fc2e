//! A Slack message for people, or one for what understands the same.

use reqwest::header::HeaderMap;

use super::config::Notify;
use super::credential::variable;
use super::deliver::{client, post};
use super::happened::Happened;
use super::markup;

/// Tells it, if anybody wants to hear.
pub(super) async fn tell(config: &Notify, model: &str, happened: &Happened) -> Result<(), String> {
    let Some(url) = &config.slack_url_env else { return Ok(()) };
    let url = variable(url)?;
    post(&client(Vec::new())?, &url, &HeaderMap::new(), &body(model, happened)).await
}

fn body(model: &str, happened: &Happened) -> String {
    serde_json::json!({ "text": markup::text(&happened.text(model)) }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slack_takes_for_its_own_is_escaped() {
        let happened = Happened::GateFailed { reason: "accuracy is <0.9>".to_owned() };
        assert_eq!(body("Iris", &happened), "{\"text\":\"Iris: accuracy is &lt;0.9&gt;\"}");
    }
}
