# What the shell cases share: checks that say what they found. Sourced, not run.
: "${KAFKA:?the address of the broker}"
passed=0
failed=0
run_id="$$-$(date +%s%N | tail -c 8)"

pass() {
    passed=$((passed + 1))
    echo "PASS $1"
}

fail() {
    failed=$((failed + 1))
    echo "FAIL $1: found [${2:0:600}], wanted [${3:0:200}]"
}

# equal WHAT FOUND WANTED
equal() { if [[ $2 == "$3" ]]; then pass "$1"; else fail "$1" "$2" "$3"; fi; }

# matches WHAT FOUND REGULAR-EXPRESSION
matches() { if grep -qE -- "$3" <<<"$2"; then pass "$1"; else fail "$1" "$2" "/$3/"; fi; }

# json EXPRESSION: what it comes to, where `d` is the JSON on standard input.
json() { python3 -c "import json, sys; d = json.load(sys.stdin); print($1)"; }

# until_true SECONDS COMMAND...: waits until the command succeeds; whether it did.
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}

finish() {
    echo "$passed passed, $failed failed"
    ((passed > 0 && failed == 0))
    exit
}
