//! `onrush serve`: runs the broker until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use onrush::{Config, DiskBackend, KafkaListener, Onrush};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::arguments::{DEFAULT_SERVER, DiskChoice, ServeArguments};
use crate::cli::config_file::{Configuration, TEMPLATE};
use crate::cli::exit::Failure;
use crate::cli::kafka::{self, DEFAULT_KAFKA};
use crate::cli::output::print;

/// Where the data is kept unless told otherwise.
const DEFAULT_DATA: &str = "onrush-data";

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(arguments: ServeArguments) -> Result<ExitCode, Failure> {
    if arguments.print_config {
        return print(TEMPLATE).map(|()| ExitCode::SUCCESS);
    }
    let plan = Plan::resolve(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|error| Failure::refused(format!("the event loop cannot be started: {error}")))?;
    runtime.block_on(serve(plan)).map(|()| ExitCode::SUCCESS)
}

/// What was typed over what the file says over the defaults.
struct Plan {
    config: Config,
    data: PathBuf,
    native: String,
    kafka: Vec<KafkaListener>,
    /// Nobody asked for Kafka clients to be served: they are where it is possible.
    kafka_unasked: bool,
    http: Option<String>,
    is_default: bool,
}

impl Plan {
    fn resolve(arguments: ServeArguments) -> Result<Plan, Failure> {
        let configuration = match &arguments.config {
            Some(path) => Configuration::read(path)?,
            None => Configuration::default(),
        };
        let mut broker = configuration.broker()?;
        let disk = match arguments.disk {
            Some(choice) => choice,
            None => disk_of(&configuration)?,
        };
        let kafka = kafka_listeners(&arguments, &configuration)?;
        let kafka_unasked = arguments.kafka.is_empty() && configuration.file.listen.kafka.is_none();
        let mut kafka_options = onrush_gateway_kafka::Options::default();
        configuration.kafka(&mut kafka_options);
        let mut native_options = onrush_gateway_native::Options::default();
        configuration.native(&mut native_options);
        let file = configuration.file;
        let is_default = arguments.data.is_none() && file.data.is_none();
        let data = arguments.data.or(file.data).unwrap_or_else(|| DEFAULT_DATA.into());
        broker.data_dir.clone_from(&data);
        let config = Config::at(&data)
            .shards(arguments.shards.or(file.shards).unwrap_or(0))
            .disk(match disk {
                DiskChoice::Auto => DiskBackend::Auto,
                DiskChoice::Plain => DiskBackend::Plain,
                DiskChoice::Uring => DiskBackend::Uring,
            })
            .insecure_listen(arguments.insecure_listen || file.listen.insecure)
            .kafka(|options| *options = kafka_options)
            .connections(|options| *options = native_options)
            .broker(|settings| *settings = broker);
        let native =
            arguments.native.or(file.listen.native).unwrap_or_else(|| DEFAULT_SERVER.to_owned());
        let http = arguments.http.or(file.listen.http);
        Ok(Plan { config, data, native, kafka, kafka_unasked, http, is_default })
    }
}

/// Where to listen for Kafka clients; nowhere if told so.
fn kafka_listeners(
    arguments: &ServeArguments,
    configuration: &Configuration,
) -> Result<Vec<KafkaListener>, Failure> {
    if arguments.no_kafka {
        return Ok(Vec::new());
    }
    let typed = |texts: &[String]| (!texts.is_empty()).then(|| texts.to_vec());
    let file = &configuration.file.listen;
    let listening = typed(&arguments.kafka)
        .or_else(|| file.kafka.clone())
        .unwrap_or_else(|| vec![DEFAULT_KAFKA.to_owned()]);
    let advertised = match typed(&arguments.kafka_advertised) {
        Some(advertised) => advertised,
        // What the file says of listeners that others are typed instead of concerns nobody.
        None if !arguments.kafka.is_empty() => kafka::of(&listening, &file.kafka_advertised),
        None => file.kafka_advertised.clone(),
    };
    kafka::listeners(&listening, &advertised).map_err(Failure::usage)
}

fn disk_of(configuration: &Configuration) -> Result<DiskChoice, Failure> {
    let Some(disk) = &configuration.file.disk else { return Ok(DiskChoice::Auto) };
    match disk.get_ref().as_str() {
        "auto" => Ok(DiskChoice::Auto),
        "plain" => Ok(DiskChoice::Plain),
        "uring" => Ok(DiskChoice::Uring),
        _ => Err(configuration.at(&disk.span(), "disk is one of \"auto\", \"plain\", \"uring\"")),
    }
}

async fn serve(plan: Plan) -> Result<(), Failure> {
    // From here on a signal is kept until the broker can heed it.
    let mut terminate = caught(SignalKind::terminate())?;
    let mut interrupt = caught(SignalKind::interrupt())?;

    // What many systems give at first is meant for programs that wait with `select`.
    if let Err(error) = onrush_sys::process::raise_descriptor_limit() {
        eprintln!(
            "onrush: the limit of open files stays as it is, since it cannot be raised: {error}"
        );
    }
    let broker = Onrush::open(plan.config)?;
    let native = broker.listen(&plan.native)?;
    let mut ready = format!("ready native={native}");
    let mut kafka = Vec::new();
    for listener in plan.kafka {
        let address = match broker.listen_kafka_at(listener) {
            Ok(address) => address,
            // Not worth failing for: several brokers on one machine would each have to say so.
            Err(error) if plan.kafka_unasked => {
                eprintln!(
                    "onrush: no Kafka clients are served, since {error}. Choose another place with \
                     --kafka ADDR, or none with --no-kafka"
                );
                continue;
            }
            Err(error) => return Err(Failure::refused(error.to_string())),
        };
        ready.push_str(&format!(" kafka={address}"));
        kafka.push(address.to_string());
    }
    if let Some(http) = &plan.http {
        let http = broker.listen_http(http)?;
        ready.push_str(&format!(" http={http}"));
    }
    ready.push('\n');
    print(&ready)?;
    greet(&native.to_string(), &kafka, &plan.data, plan.is_default);

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    eprintln!("onrush: stopping");
    broker.stop().await?;
    Ok(())
}

fn caught(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::refused(format!("signals cannot be caught: {error}")))
}

/// Three things to try, for whoever started it by hand.
fn greet(native: &str, kafka: &[String], data: &std::path::Path, is_default: bool) {
    let server =
        if native == DEFAULT_SERVER { String::new() } else { format!(" --server {native}") };
    let data = data.display();
    eprintln!("onrush: serving {native}, data in {data}, durable before acknowledged. Try:");
    eprintln!("  onrush topic create numbers{server}");
    eprintln!("  seq 1 10 | onrush produce numbers{server}");
    eprintln!("  onrush consume numbers --from start{server}");
    if let Some(kafka) = kafka.first() {
        eprintln!("Kafka clients: bootstrap.servers={kafka}");
    }
    if is_default {
        eprintln!(
            "Another place for the data: --data DIR. All settings: onrush serve --print-config."
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_is_typed_wins_over_what_the_file_says_of_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("onrush.toml");
        let text = "[listen]\nkafka = [\"DOCKER://127.0.0.1:1\"]\n\
                    kafka_advertised = [\"DOCKER://host.docker.internal:29092\"]\n";
        std::fs::write(&path, text).unwrap();
        let resolve = |typed: &[&str]| {
            let arguments = ServeArguments {
                config: Some(path.clone()),
                kafka: typed.iter().map(|text| (*text).to_owned()).collect(),
                ..ServeArguments::default()
            };
            Plan::resolve(arguments).map(|plan| plan.kafka)
        };
        let told = Some(("host.docker.internal".to_owned(), 29092));
        assert_eq!(resolve(&[]).unwrap()[0].advertised, told);
        assert_eq!(resolve(&["127.0.0.1:0"]).unwrap(), [KafkaListener::at("127.0.0.1:0")]);
        assert_eq!(resolve(&["DOCKER://127.0.0.1:2"]).unwrap()[0].advertised, told);
    }
}
