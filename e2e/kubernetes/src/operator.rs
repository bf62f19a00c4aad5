//! The operator, installed as users install it: its kinds, its roles, its Deployment.

use std::path::Path;

use tokio::sync::Mutex;

use crate::handle::{Error, Kubernetes, run};

const DEPLOYED_IMAGE: &str = "ghcr.io/taffrail/taffrail-operator:0.1.0";
const IMAGE: &str = concat!("taffrail/operator:", env!("CARGO_PKG_VERSION"));
pub const NAMESPACE: &str = "taffrail-system";
const DEPLOYMENT: &str = "deployment/taffrail-operator";
const ROLLOUT_PATIENCE: &str = "--timeout=120s";

/// Short, or a rotation of an authority would take a day.
const AUTHORITY_OVERLAP: &str = "--authority-overlap=6s";

/// Tests of one process share it; whoever comes first installs it.
static INSTALLED: Mutex<bool> = Mutex::const_new(false);

impl Kubernetes {
    /// With two replicas and leader election, unless it runs already.
    ///
    /// # Errors
    /// What kubectl complained about.
    pub async fn with_operator(&self) -> Result<(), Error> {
        let mut installed = INSTALLED.lock().await;
        if !*installed {
            self.install().await?;
            *installed = true;
        }
        Ok(())
    }

    async fn install(&self) -> Result<(), Error> {
        let kinds = repository("crds");
        let kinds = kinds.display().to_string();
        self.kubectl(&["apply", "--server-side", "-f", &kinds]).await?;
        self.apply(&deployment(&["--leader-elect"])).await?;
        let roles = repository("operator/deploy/rbac.yaml").display().to_string();
        self.kubectl(&["apply", "-f", &roles]).await?;
        self.operator_is_there().await
    }

    /// The same operator started in another way: `replicas` of them, with these words in place of `--leader-elect`.
    ///
    /// # Errors
    /// What kubectl complained about.
    pub async fn operator_with(&self, words: &[&str], replicas: u8) -> Result<(), Error> {
        let text = deployment(words).replace("replicas: 2", &format!("replicas: {replicas}"));
        self.apply(&text).await?;
        self.operator_is_there().await
    }

    /// # Errors
    /// If it does not roll out in time.
    pub async fn operator_is_there(&self) -> Result<(), Error> {
        let words = ["-n", NAMESPACE, "rollout", "status", DEPLOYMENT, ROLLOUT_PATIENCE];
        run("kubectl", &words, None).await.map(drop)
    }

    /// Every operator dies at once, and its Deployment makes new ones.
    ///
    /// # Errors
    /// What kubectl complained about.
    pub async fn kill_operators(&self) -> Result<(), Error> {
        let words = [
            "-n",
            NAMESPACE,
            "delete",
            "pod",
            "-l",
            "app.kubernetes.io/name=taffrail-operator",
        ];
        let at_once = ["--grace-period=0", "--force"];
        let all: Vec<&str> = words.into_iter().chain(at_once).collect();
        run("kubectl", &all, None).await.map(drop)
    }
}

/// What is committed, with this machine's image.
fn deployment(words: &[&str]) -> String {
    let text = std::fs::read_to_string(repository("operator/deploy/operator.yaml")).expect("the deployment is there");
    let lines: Vec<String> = [words, &[AUTHORITY_OVERLAP]]
        .concat()
        .iter()
        .map(|word| format!("- {word}"))
        .collect();
    text.replace(DEPLOYED_IMAGE, IMAGE)
        .replace("- --leader-elect", &lines.join("\n            "))
}

fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deployed_is_what_is_committed_but_for_image_and_words() {
        let text = deployment(&["--leader-elect=false"]);
        assert!(!text.contains(DEPLOYED_IMAGE) && text.matches(IMAGE).count() == 2);
        assert!(text.contains("- --leader-elect=false\n            - --authority-overlap"));
        assert!(text.contains("replicas: 2"));
    }
}
