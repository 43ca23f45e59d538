package onrush.clients;

import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.Callable;

/** What the Java cases share: where the broker is, and checks that say what they found. */
public final class Check {
    /** The address of the broker. */
    public static final String KAFKA = System.getenv("KAFKA");

    private static int passed;
    private static int failed;

    private Check() {}

    /** A case, or something it waits for. */
    public interface Body {
        void run() throws Exception;
    }

    /** Runs a case and ends the process with its verdict. */
    public static void run(Body body) {
        try {
            body.run();
        } catch (Throwable error) {
            error.printStackTrace();
            holds("the case runs to its end", false, error);
        }
        System.out.printf("%d passed, %d failed%n", passed, failed);
        System.out.flush();
        // Not exit: a client's thread that hangs must not hold the verdict back.
        Runtime.getRuntime().halt(passed > 0 && failed == 0 ? 0 : 1);
    }

    /** A name that no other case and no earlier run has used. */
    public static String unique(String base) {
        return base + "-" + UUID.randomUUID().toString().substring(0, 8);
    }

    /** One check. */
    public static synchronized void holds(String what, boolean holds, Object found) {
        if (holds) {
            passed++;
            System.out.println("PASS " + what);
        } else {
            failed++;
            System.out.println("FAIL " + what + ": found " + found);
        }
        System.out.flush();
    }

    /** Checks that two values are the same. */
    public static void equal(String what, Object found, Object wanted) {
        holds(what, Objects.equals(found, wanted), found + ", wanted " + wanted);
    }

    /** Checks that a call fails with that error, be it as a cause. */
    public static void refused(String what, Class<? extends Throwable> error, Callable<?> call) {
        try {
            holds(what, false, call.call());
        } catch (Throwable thrown) {
            var cause = thrown;
            while (cause != null && !error.isInstance(cause)) cause = cause.getCause();
            holds(what, cause != null, thrown + ", wanted " + error.getName());
        }
    }

    /** Waits until a condition holds; whether it came to. A condition that throws does not hold. */
    public static boolean until(int seconds, Callable<Boolean> condition) {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (true) {
            try {
                if (condition.call()) return true;
            } catch (Exception error) {
                if (System.nanoTime() > end) error.printStackTrace();
            }
            if (System.nanoTime() > end) return false;
            try {
                Thread.sleep(50);
            } catch (InterruptedException interrupted) {
                return false;
            }
        }
    }

    /** A client's settings: the broker's address and those given as key, value, key, value. */
    public static Map<String, Object> settings(Object... more) {
        var settings = new HashMap<String, Object>(Map.of("bootstrap.servers", KAFKA));
        for (int i = 0; i < more.length; i += 2) settings.put((String) more[i], more[i + 1]);
        return settings;
    }

    static {
        if (KAFKA == null) throw new IllegalStateException("KAFKA is not set: the broker's address");
    }
}
