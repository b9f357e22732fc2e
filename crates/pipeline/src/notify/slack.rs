//! A Slack message for people, or one for what understands the same.

use reqwest::header::HeaderMap;

use super::config::Notify;
use super::credential::variable;
use super::deliver::{client, post};
use super::happened::Happened;

/// Whether it was told: it may not be wanted.
pub(super) async fn tell(
    config: &Notify,
    model: &str,
    happened: &Happened,
) -> Result<bool, String> {
    let Some(url) = &config.slack_url_env else { return Ok(false) };
    let url = variable(url)?;
    let body = serde_json::json!({ "text": escaped(&happened.text(model)) }).to_string();
    post(&client(Vec::new())?, &url, &HeaderMap::new(), &body).await.map(|()| true)
}

/// Slack takes these three characters for its own.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slack_takes_for_its_own_is_escaped() {
        let happened = Happened::GateFailed { reason: "accuracy is <0.9>".to_owned() };
        assert_eq!(escaped(&happened.text("Iris")), "Iris: accuracy is &lt;0.9&gt;");
    }
}
