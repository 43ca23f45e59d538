package onrush.clients;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;

/** A broker of a case's own, for what cannot be done to one that others use: killing it. */
final class Broker implements AutoCloseable {
    private final Path data;
    private String natively = "127.0.0.1:0";
    private String kafka = "127.0.0.1:0";
    private Process process;

    /** Starts one over a fresh directory, on ports of the system's choice that it keeps over restarts. */
    Broker() throws IOException {
        data = Files.createTempDirectory("onrush-case");
        start();
    }

    /** The address of its Kafka listener. */
    String kafka() {
        return kafka;
    }

    /** Starts it and waits until it is ready. */
    void start() throws IOException {
        var command = List.of(System.getenv("ONRUSH"), "serve", "--data", data.resolve("data").toString(),
                "--native", natively, "--kafka", kafka);
        process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        var ready = new BufferedReader(new InputStreamReader(process.getInputStream())).readLine();
        if (ready == null) throw new IOException("the broker did not start");
        for (var word : ready.split(" ")) {
            if (word.startsWith("native=")) natively = word.substring("native=".length());
            if (word.startsWith("kafka=")) kafka = word.substring("kafka=".length());
        }
    }

    /** {@code kill -9}, waited for. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    @Override
    public void close() throws Exception {
        kill();
        try (var all = Files.walk(data)) {
            all.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
        }
    }
}
