//! Factories: the store, the user and the singleton that the facade's class holds, and the default runtimes it makes.

use legacy_compat::{DefaultRuntime, RegistryInput};
use registry::Failure;
use serde_json::{Map, Value, json};

use super::registry::object_key;
use super::{Player, UNDEFINED, Waiter};
use crate::trace::{Action, FactoryArgs, TraceError};

/// A factory object of the host.
pub(super) struct Factory {
    registry: usize,
    store: String,
    user_id: String,
}

/// The registry that later steps mean where they name none.
const MAIN_REGISTRY: &str = "reg";

impl Player {
    /// The operations on factories.
    pub(super) fn act_on_factory(&mut self, action: Action) -> Result<(), TraceError> {
        match action {
            Action::NewFactory(args) => {
                self.new_factory(args);
                self.record_return("<factory>");
                Ok(())
            }
            Action::CreateWithDefaults(args) => self.create_with_defaults(args),
            Action::FactoryRegistry { factory, r#as } => {
                let registry = self.factories[self.factory(&factory)?].registry;
                let same = self.name_registry(r#as, registry);
                self.record_return(json!({ "sameAs": same }));
                Ok(())
            }
            Action::CreateRuntime { factory, r#type, r#as, config } => {
                self.create_runtime(&factory, &r#type, r#as, config)
            }
            Action::SupportedTypes(of) => {
                self.factory(&of.factory)?;
                let types: Vec<_> = DefaultRuntime::ALL.iter().map(|default| default.runtime_type()).collect();
                self.record_return(json!(types));
                Ok(())
            }
            Action::SetupDefaults(of) => {
                let factory = self.factory(&of.factory)?;
                match self.set_up(factory, DefaultRuntime::ALL) {
                    Ok(()) => self.record_return(UNDEFINED),
                    Err(failure) => self.record_outcome(None, Err(failure)),
                }
                Ok(())
            }
            other => self.act_on_config(other),
        }
    }

    fn factory(&self, name: &str) -> Result<usize, TraceError> {
        self.factory_names.get(name).copied().ok_or_else(|| self.unnamed("factory", name))
    }

    /// Its configuration of the registry is not looked at.
    fn new_factory(&mut self, args: FactoryArgs) -> usize {
        let registry = self.singleton(Map::new());
        let factory = self.factories.len();
        self.factory_names.insert(args.r#as, factory);
        self.factories.push(Factory { registry, store: args.store, user_id: args.user_id });
        factory
    }

    fn create_with_defaults(&mut self, args: FactoryArgs) -> Result<(), TraceError> {
        let factory = self.new_factory(args);
        let registry = self.factories[factory].registry;
        match self.set_up(factory, DefaultRuntime::missing_beside(self.available_count(registry))) {
            Ok(()) => {
                self.name_registry(MAIN_REGISTRY.to_owned(), registry);
                self.record_return("<factory>");
            }
            Err(failure) => self.record_outcome(None, Err(failure)),
        }
        Ok(())
    }

    fn create_runtime(
        &mut self,
        factory: &str,
        runtime_type: &str,
        name: Option<String>,
        config: Map<String, Value>,
    ) -> Result<(), TraceError> {
        let factory = self.factory(factory)?;
        match DefaultRuntime::of_type(runtime_type) {
            Ok(default) => {
                let runtime = self.make_default(factory, default, config);
                self.runtime_names.extend(name.map(|name| (name, runtime)));
                let object = &self.runtimes[runtime];
                let shown = json!({ "metadata": object.metadata, "capabilities": object.capabilities });
                self.record_return(shown);
            }
            Err(failure) => self.record_outcome(None, Err(failure)),
        }
        Ok(())
    }

    /// Registers defaults one after the other, until one is refused.
    fn set_up(&mut self, factory: usize, defaults: &[DefaultRuntime]) -> Result<(), Failure> {
        let registry = self.factories[factory].registry;
        for default in defaults {
            let runtime = self.make_default(factory, *default, Map::new());
            let call = self.open_call(Waiter::Caller, "", None);
            self.step_registry(registry, RegistryInput::Register(call, object_key(runtime)));
            self.run();
            self.returned.take().unwrap_or(Ok(()))?;
        }
        Ok(())
    }

    /// A new object; an html one has the factory's store and user.
    fn make_default(&mut self, factory: usize, default: DefaultRuntime, mut config: Map<String, Value>) -> usize {
        if default == DefaultRuntime::Html {
            let Factory { store, user_id, .. } = &self.factories[factory];
            config.insert("store".to_owned(), json!({ "$store": store }));
            config.insert("userId".to_owned(), user_id.as_str().into());
        }
        self.new_default(default, config)
    }
}
