//! What the folder of a kind gives, from which [`Kind`] is made in the same way for every kind.

use bitlathe_spec::Target;
use schemars::{JsonSchema, schema_for};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::common::{check_top, unreadable};
use crate::compare::{Comparison, Data};
use crate::pairwise::Space;
use crate::random::Random;
use crate::{Core, Issue, Kind};

/// The folder of a kind of core.
pub trait Room: Sync {
    /// The config file.
    type Config: Serialize + DeserializeOwned + JsonSchema;
    /// A configured core.
    type Core: Core + 'static;
    /// The `kind` in a config.
    const NAME: &'static str;
    /// One sentence on what it computes.
    const ABOUT: &'static str;
    /// All semantic errors at once, or the core.
    fn core(config: Self::Config) -> Result<Self::Core, Vec<Issue>>;
    /// A commented config for `bitlathe new`, legal for the target.
    fn starter(target: &Target) -> String;
    /// All options that tests vary.
    fn space() -> Space;
    /// A config of realistic size for a target, with every option in play; it may be illegal and is then drawn again.
    fn random_config(target: &Target, random: &mut Random) -> Value;
    /// The methods on the same data, where there is a choice.
    fn compare(_base: &Value, _data: &Data) -> Option<Comparison> {
        None
    }
}

/// A starter with the key of every kind behind its name.
fn with_wrap(starter: &str) -> String {
    let Some((head, tables)) = starter.split_once("\n\n[") else { return starter.to_owned() };
    format!("{head}\nwrap = \"none\"           # or axi, or kernel for XRT: the buses around the core\n\n[{tables}")
}

/// Whether a document is a legal config, as far as it can be said without making the hardware.
pub fn legal<R: Room>(document: &Value) -> bool {
    serde_json::from_value(document.clone()).is_ok_and(|config| R::core(config).is_ok())
}

impl<R: Room> Kind for R {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn about(&self) -> &'static str {
        R::ABOUT
    }

    fn schema(&self) -> Value {
        schema_for!(R::Config).into()
    }

    fn starter(&self, target: &Target) -> String {
        with_wrap(&R::starter(target))
    }

    fn configure(&self, document: &Value) -> Result<Box<dyn Core>, Vec<Issue>> {
        let read = serde_json::from_value(document.clone());
        let core = R::core(read.map_err(|e| unreadable(R::NAME, &e))?)?;
        check_top(core.name(), &core.rtl())?;
        Ok(Box::new(core))
    }

    fn space(&self) -> Space {
        R::space()
    }

    fn compare(&self, base: &Value, data: &Data) -> Option<Comparison> {
        R::compare(base, data)
    }

    fn random_configs(&self, target: &Target, seed: u64, count: usize) -> Vec<Value> {
        let mut random = Random::new(seed);
        let mut configs = vec![];
        while configs.len() < count {
            let mut config = R::random_config(target, &mut random);
            config["kind"] = R::NAME.into();
            config["name"] = format!("random{}", configs.len()).into();
            config["target"]["name"] = target.name.into();
            if legal::<R>(&config) {
                configs.push(config);
            }
        }
        configs
    }
}
