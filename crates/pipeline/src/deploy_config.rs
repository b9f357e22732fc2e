//! `[deploy]`: where the service listens, where its instances run, and when a new one is trusted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use trainyard_base::{Advise as _, duration, size};
use trainyard_deploy::gateway::{check_header, check_rule};
use trainyard_deploy::{BakeLimits, CanaryStep, Network, Pull, ReleaseSpec, RuntimeKind};

use crate::acme_config::Acme;

/// `[deploy]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deploy {
    /// Address of the gateway; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Folder of deployments, their logs and the prediction log, relative to the project. One outside
    /// of it outlives a checkout that is made anew.
    pub state: PathBuf,
    /// How long a new instance may take until it is healthy.
    #[serde(deserialize_with = "duration::deserialize")]
    pub deadline: Duration,
    /// How long requests in flight may take to finish on the old instance.
    #[serde(deserialize_with = "duration::deserialize")]
    pub drain: Duration,
    /// How long the old instance is kept warm after the switch.
    #[serde(deserialize_with = "duration::deserialize")]
    pub bake: Duration,
    /// Answers out of a hundred that may be 5xx while the old instance is warm, beyond what it had.
    pub bake_errors_percent: u32,
    /// Time within which 95 of a hundred answers must begin while the old instance is warm.
    #[serde(deserialize_with = "duration::deserialize_some")]
    pub bake_latency: Option<Duration>,
    /// Whether requests are asked of the old instance as well, to judge what the new one refuses and predicts.
    pub bake_answers: bool,
    /// Predictions out of a hundred that may be of other classes.
    pub bake_class_shift_percent: u32,
    /// How far in a hundred the distribution of scores may be away; any distance if none.
    pub bake_score_shift_percent: Option<u32>,
    /// How long a new version gets copies of the requests before it gets any; not at all if zero.
    #[serde(deserialize_with = "duration::deserialize")]
    pub shadow: Duration,
    /// Shares of the requests that it gets before all, each for a time: `["5% 10m", "25% 10m"]`.
    pub canary: Vec<String>,
    /// Header by which a client stays on one side of the canary.
    pub canary_header: Option<String>,
    /// Successful rounds of checks in a row before a new instance gets traffic.
    pub successes: u32,
    /// Whether the gateway writes a line for each request.
    pub access_log: bool,
    /// Where the gateway answers `/metrics` in Prometheus' format; nowhere if none.
    pub metrics_listen: Option<SocketAddr>,
    /// Paths that the public may ask beside predictions, documentation and health: `/feedback`.
    pub expose: Vec<String>,
    /// Where the gateway passes all paths on, for operators; nowhere if none.
    pub operator_listen: Option<SocketAddr>,
    /// Paths that need no token where others do; the usual are those that ask for health.
    pub open: Option<Vec<String>>,
    /// Certificate that the gateway shows (PEM), relative to the project; read again when it changes.
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM, without a password).
    pub tls_key: Option<PathBuf>,
    /// A certificate that the gateway gets by itself, in the place of those files.
    pub acme: Option<Acme>,
    /// Authorities that sign the certificates of clients (PEM).
    pub client_ca: Option<PathBuf>,
    /// Tokens of clients, by their digests; `trainyard token new` writes it.
    pub tokens_file: Option<PathBuf>,
    /// Where requests without TLS are told to come back with it: `"0.0.0.0:80"`.
    pub redirect_http: Option<SocketAddr>,
    /// How long an instance may take to begin an answer once it has the request.
    #[serde(deserialize_with = "duration::deserialize_some")]
    pub response_timeout: Option<Duration>,
    /// Connections of clients at a time.
    pub max_connections: Option<usize>,
    /// Connections of one address at a time; a proxy in front is one address.
    pub max_per_address: Option<usize>,
    /// Where instances run.
    pub runtime: RuntimeKind,
    /// Image with this program; `runtime = "docker"` and `"swarm"` need it.
    pub image: Option<String>,
    /// When the image is fetched: `always`, `missing`, `never`.
    pub pull: Option<Pull>,
    /// `own`, `host`, or the name of a network that is there.
    pub network: Option<String>,
    /// Memory of a container: `"512MiB"`, `"2GB"`.
    pub memory: Option<String>,
    /// Processors of a container.
    pub cpus: Option<f64>,
    /// Constraints on the nodes of a swarm: `["node.labels.gpu==true"]`.
    pub placement: Vec<String>,
    /// Where instances write their prediction log, as a URI of an object store; below `state` if none.
    pub predictions: Option<String>,
    /// Whether `up` does the releases that are asked for on pages of the tracking server.
    pub releases_from_pages: bool,
}

impl Default for Deploy {
    fn default() -> Self {
        let limits = BakeLimits::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            state: PathBuf::from(".trainyard"),
            deadline: Duration::from_mins(1),
            drain: Duration::from_secs(10),
            bake: Duration::from_secs(1),
            bake_errors_percent: limits.errors_percent,
            bake_latency: limits.latency,
            bake_answers: limits.answers,
            bake_class_shift_percent: limits.class_shift_percent,
            bake_score_shift_percent: limits.score_shift_percent,
            shadow: Duration::ZERO,
            canary: Vec::new(),
            canary_header: None,
            successes: 2,
            access_log: false,
            metrics_listen: None,
            expose: Vec::new(),
            operator_listen: None,
            open: None,
            tls_cert: None,
            tls_key: None,
            acme: None,
            client_ca: None,
            tokens_file: None,
            redirect_http: None,
            response_timeout: None,
            max_connections: None,
            max_per_address: None,
            runtime: RuntimeKind::Process,
            image: None,
            pull: None,
            network: None,
            memory: None,
            cpus: None,
            placement: Vec::new(),
            predictions: None,
            // Whoever may ask there may move the alias `Production`, which starts a release anyway.
            releases_from_pages: true,
        }
    }
}

/// No machine has more.
const CPUS_MAX: f64 = 4096.0;

impl Deploy {
    /// Rules that span keys.
    pub fn check(&self) -> Result<(), String> {
        let container_keys = [
            ("image", self.image.is_some()),
            ("pull", self.pull.is_some()),
            ("network", self.network.is_some()),
            ("memory", self.memory.is_some()),
            ("cpus", self.cpus.is_some()),
        ];
        if self.runtime.runs_images() {
            if self.image.is_none() {
                let name = self.runtime.name();
                return Err(format!("[deploy] with runtime = \"{name}\" needs `image`"));
            }
        } else if let Some((key, _)) = container_keys.iter().find(|(_, given)| *given) {
            return Err(format!(
                "[deploy] has `{key}`, which is for containers; set runtime = \"docker\""
            ));
        }
        self.check_swarm()?;
        for (key, percent) in [
            ("bake_errors_percent", self.bake_errors_percent),
            ("bake_class_shift_percent", self.bake_class_shift_percent),
            ("bake_score_shift_percent", self.bake_score_shift_percent.unwrap_or_default()),
        ] {
            if percent > 100 {
                return Err(format!("deploy.{key} is out of a hundred"));
            }
        }
        self.canary_steps()?;
        if let Some(header) = &self.canary_header {
            check_header(header)
                .map_err(|error| format!("deploy.canary_header: {}", error.sentence()))?;
            if self.canary.is_empty() {
                return Err(
                    "deploy.canary_header is for a canary; set deploy.canary too".to_owned()
                );
            }
        }
        let open = self.open.iter().flatten().map(|path| ("open", path));
        for (key, path) in self.expose.iter().map(|path| ("expose", path)).chain(open) {
            check_rule(path).map_err(|error| format!("deploy.{key}: {}", error.sentence()))?;
        }
        self.check_tls()?;
        if self.response_timeout.is_some_and(|limit| limit.is_zero()) {
            return Err("deploy.response_timeout = \"0s\" lets nobody answer".to_owned());
        }
        for (key, count) in
            [("max_connections", self.max_connections), ("max_per_address", self.max_per_address)]
        {
            if count == Some(0) {
                return Err(format!("deploy.{key} = 0 lets nobody in"));
            }
        }
        self.memory_bytes()?;
        self.nano_cpus()?;
        Ok(())
    }

    /// What is for a swarm alone, and what a swarm has no use for.
    fn check_swarm(&self) -> Result<(), String> {
        if let Some(uri) = self.predictions.as_deref().filter(|uri| !uri.contains("://")) {
            return Err(format!(
                "deploy.predictions = {uri:?}: a URI of an object store like \"s3://bucket/predictions\"; \
                 without it the log is below `state`"
            ));
        }
        if self.runtime != RuntimeKind::Swarm {
            if self.placement.is_empty() {
                return Ok(());
            }
            return Err("[deploy] has `placement`, which is for nodes of a swarm; set runtime = \
                        \"swarm\""
                .to_owned());
        }
        if self.network() == Network::Host {
            return Err("deploy.network = \"host\" is for runtime = \"docker\": in a swarm each instance \
                        has a port of its node, and is in an overlay network (`own`, or the name of one)"
                .to_owned());
        }
        let is_constraint = |text: &&String| text.contains("==") || text.contains("!=");
        match self.placement.iter().find(|text| !is_constraint(text)) {
            Some(text) => Err(format!(
                "deploy.placement has {text:?}: a constraint like \"node.labels.gpu==true\" or \
                 \"node.role!=manager\""
            )),
            None => Ok(()),
        }
    }

    /// What needs a certificate, and what belongs to one.
    fn check_tls(&self) -> Result<(), String> {
        if let Some(acme) = &self.acme {
            if self.tls_cert.is_some() || self.tls_key.is_some() {
                return Err("deploy.acme gets a certificate, and deploy.tls_cert is one".to_owned());
            }
            let settings = acme.settings(PathBuf::clone);
            return settings.check().map_err(|error| format!("deploy.acme: {}", error.sentence()));
        }
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => return Err("deploy.tls_cert needs deploy.tls_key".to_owned()),
            (None, Some(_)) => return Err("deploy.tls_key needs deploy.tls_cert".to_owned()),
            (Some(_), Some(_)) => return Ok(()),
            (None, None) => {}
        }
        for (key, is_set) in [
            ("client_ca", self.client_ca.is_some()),
            ("redirect_http", self.redirect_http.is_some()),
        ] {
            if is_set {
                return Err(format!(
                    "deploy.{key} needs a certificate: deploy.tls_cert or deploy.acme"
                ));
            }
        }
        Ok(())
    }

    /// Tells a release how the new version is judged on its way to all users.
    pub fn judge(&self, spec: &mut ReleaseSpec) -> Result<(), String> {
        spec.bake_limits = BakeLimits {
            errors_percent: self.bake_errors_percent,
            latency: self.bake_latency,
            answers: self.bake_answers,
            class_shift_percent: self.bake_class_shift_percent,
            score_shift_percent: self.bake_score_shift_percent,
            ..BakeLimits::default()
        };
        spec.shadow = self.shadow;
        spec.canary = self.canary_steps()?;
        spec.canary_header.clone_from(&self.canary_header);
        Ok(())
    }

    /// The steps of the canary.
    fn canary_steps(&self) -> Result<Vec<CanaryStep>, String> {
        CanaryStep::parse_all(&self.canary).map_err(|error| format!("deploy.canary: {error}"))
    }

    /// Memory of a container in bytes.
    pub fn memory_bytes(&self) -> Result<Option<u64>, String> {
        let Some(text) = &self.memory else { return Ok(None) };
        let wrong = || {
            format!("deploy.memory = {text:?}: a size like \"512MiB\" or \"2GB\", 6MiB at least")
        };
        let bytes = size::parse(text).ok();
        // What Docker itself wants at least.
        bytes.filter(|bytes| *bytes >= 6 << 20).map(Some).ok_or_else(wrong)
    }

    /// Processor time of a container, in nanoseconds a second.
    pub fn nano_cpus(&self) -> Result<Option<u64>, String> {
        match self.cpus {
            None => Ok(None),
            Some(cpus) if (0.01..=CPUS_MAX).contains(&cpus) => Ok(Some((cpus * 1e9) as u64)),
            Some(cpus) => Err(format!("deploy.cpus = {cpus}: a number like 0.5 or 2")),
        }
    }

    /// The network of a container.
    pub fn network(&self) -> Network {
        self.network.as_deref().map(Network::from).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use trainyard_deploy::Workload;

    use super::*;

    fn with(text: &str) -> Deploy {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn sizes_and_shares() {
        let memory = |text: &str| with(&format!("memory = {text:?}")).memory_bytes();
        assert_eq!(memory("512m"), Ok(Some(512 << 20)));
        assert_eq!(memory("512MB"), Ok(Some(512_000_000)));
        assert_eq!(memory("2G"), Ok(Some(2 << 30)));
        assert_eq!(memory("8388608"), Ok(Some(8 << 20)));
        for wrong in ["", "m", "1m", "2x", "-1g", "99999999999999g"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
        assert_eq!(with("cpus = 0.5").nano_cpus(), Ok(Some(500_000_000)));
        assert!(with("cpus = -1.0").nano_cpus().is_err());
    }

    #[test]
    fn what_the_public_may_ask() {
        let check = |text: &str| with(text).check();
        assert_eq!(check("expose = [\"/feedback\", \"/models/*/feedback\"]"), Ok(()));
        let encrypted =
            "tls_cert = \"a.pem\"\ntls_key = \"a.key\"\nopen = []\nclient_ca = \"ca.pem\"";
        assert_eq!(check(encrypted), Ok(()));
        let acme =
            "client_ca = \"ca.pem\"\nacme = { domains = [\"a.example\"], agree_terms = true }";
        assert_eq!(check(acme), Ok(()));
        for wrong in [
            "expose = [\"feedback\"]",
            "expose = [\"/a/../reload\"]",
            "response_timeout = \"0s\"",
            "max_connections = 0",
            "max_per_address = 0",
            "open = [\"health\"]",
            "tls_cert = \"a.pem\"",
            "tls_key = \"a.key\"",
            "acme = { domains = [\"a.example\"] }",
            "tls_cert = \"a.pem\"\ntls_key = \"a.key\"\nacme = { domains = [\"a.example\"], agree_terms = true }",
            "client_ca = \"ca.pem\"",
            "redirect_http = \"127.0.0.1:80\"",
        ] {
            assert!(check(wrong).unwrap_err().starts_with("deploy."), "{wrong}");
        }
    }

    #[test]
    fn shadow_and_canary() {
        let config = with(
            "shadow = \"10m\"\ncanary = [\"5% 10m\", \"25% 1h\"]\ncanary_header = \"X-User-Id\"",
        );
        assert_eq!(config.check(), Ok(()));
        let mut spec = ReleaseSpec::new(Workload::process("/bin/true"));
        config.judge(&mut spec).unwrap();
        assert_eq!((spec.shadow, spec.canary.len()), (Duration::from_mins(10), 2));
        assert_eq!(spec.bake_limits, BakeLimits::default());
        for wrong in [
            "canary = [\"5%\"]",
            "canary = [\"5% 10m\", \"100% 1m\"]",
            "canary_header = \"X-User-Id\"",
            "canary = [\"5% 10m\"]\ncanary_header = \"X User\"",
            "bake_class_shift_percent = 101",
            "bake_score_shift_percent = 101",
        ] {
            assert!(with(wrong).check().unwrap_err().starts_with("deploy."), "{wrong}");
        }
    }

    #[test]
    fn what_is_for_a_swarm() {
        let swarm = "runtime = \"swarm\"\nimage = \"iris:1\"\n";
        let check = |text: &str| with(&format!("{swarm}{text}")).check();
        let placed = "placement = [\"node.labels.gpu==true\", \"node.role != manager\"]\n\
                      network = \"shop\"\npredictions = \"s3://bucket/iris\"";
        assert_eq!(check(placed), Ok(()));
        for wrong in ["placement = [\"gpu\"]", "network = \"host\"", "predictions = \"logs/iris\""]
        {
            assert!(check(wrong).unwrap_err().starts_with("deploy."), "{wrong}");
        }
        assert!(with("runtime = \"swarm\"").check().unwrap_err().contains("`image`"));
        let elsewhere = with("placement = [\"node.labels.gpu==true\"]").check().unwrap_err();
        assert!(elsewhere.contains("runtime = \"swarm\""), "{elsewhere}");
        assert_eq!(with("predictions = \"s3://bucket/iris\"").check(), Ok(()));
    }

    #[test]
    fn networks() {
        assert_eq!(with("").network(), Network::Own);
        assert_eq!(with("network = \"host\"").network(), Network::Host);
        assert_eq!(with("network = \"shop\"").network(), Network::Named("shop".to_owned()));
    }
}
