// Smooths the level of a tank, tells how fast it moves, and calls when it stands above a limit. The header is generated from
// the contract by `geminus plugin build`; what each function is for stands in wit/next/behavior.wit.
#include "plugin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCHEMA = 1, OUTPUTS = 2, STATE_BYTES = 16 };
enum { GOOD = 0, UNCERTAIN = 1, MISSING = 4 }; // of the contract's qualities

// A twin: its parameters, and what it remembers.
typedef struct {
    bool open;
    double time_constant, limit;
    double smooth; // NaN before the first measurement
    uint64_t measured_at;
} twin_t;

// By slot: the host gives slots from 0 without gaps.
static twin_t *twins;
static size_t room;

static twin_t *twin_in(uint32_t slot) {
    return slot < room && twins[slot].open ? &twins[slot] : NULL;
}

static bool make_room(uint32_t slot) {
    if (slot < room) return true;
    size_t wanted = room * 2 > slot ? room * 2 : (size_t)slot + 1;
    twin_t *grown = realloc(twins, wanted * sizeof *grown);
    if (grown == NULL) return false;
    memset(grown + room, 0, (wanted - room) * sizeof *grown);
    twins = grown;
    room = wanted;
    return true;
}

// The number of one member. The host has checked the object against the declared schema and filled defaults in, so that all
// members are there; `text` ends with a zero.
static double member(const char *text, const char *name) {
    const char *found = strstr(text, name);
    const char *colon = found == NULL ? NULL : strchr(found, ':');
    return colon == NULL ? NAN : strtod(colon + 1, NULL);
}

typedef exports_geminus_behavior_behavior_fault_t fault_t;

static bool other(fault_t *fault, const char *words) {
    fault->tag = GEMINUS_BEHAVIOR_TYPES_FAULT_OTHER;
    plugin_string_dup(&fault->val.other, words);
    return false;
}

static bool bad_state(fault_t *fault, const char *words) {
    fault->tag = GEMINUS_BEHAVIOR_TYPES_FAULT_STATE;
    plugin_string_dup(&fault->val.state, words);
    return false;
}

bool exports_geminus_behavior_behavior_open(
    exports_geminus_behavior_behavior_list_opening_t *openings, fault_t *fault) {
    for (size_t i = 0; i < openings->len; i++) {
        if (!make_room(openings->ptr[i].slot)) return other(fault, "no memory for another twin");
    }
    for (size_t i = 0; i < openings->len; i++) {
        exports_geminus_behavior_behavior_opening_t *opening = &openings->ptr[i];
        char *text = calloc(opening->parameters.len + 1, 1);
        if (text == NULL) abort();
        memcpy(text, opening->parameters.ptr, opening->parameters.len);
        twins[opening->slot] = (twin_t){
            .open = true,
            .time_constant = member(text, "\"time_constant\""),
            .limit = member(text, "\"limit\""),
            .smooth = NAN,
        };
        free(text);
    }
    exports_geminus_behavior_behavior_list_opening_free(openings);
    return true;
}

// One row: a measurement that may be none. Gives the rate, NaN where there is none.
static double advance(twin_t *twin, uint64_t time, double level, uint8_t quality) {
    if (quality > UNCERTAIN) return NAN;
    double elapsed = (double)(time - twin->measured_at) * 1e-9;
    double moved = elapsed / (twin->time_constant + elapsed) * (level - twin->smooth);
    double rate = NAN;
    if (isfinite(moved)) {
        rate = moved / elapsed;
        twin->smooth += moved;
    } else { // the first one, or too far for a number
        twin->smooth = level;
    }
    twin->measured_at = time;
    return rate;
}

bool exports_geminus_behavior_behavior_step(exports_geminus_behavior_behavior_rows_t *rows,
    exports_geminus_behavior_behavior_outcome_t *outcome, fault_t *fault) {
    size_t count = rows->slots.len;
    for (size_t r = 0; r < count; r++) {
        if (twin_in(rows->slots.ptr[r]) == NULL) return other(fault, "a slot is not open");
    }
    memset(outcome, 0, sizeof *outcome);
    double *values = calloc(count * OUTPUTS, sizeof *values);
    uint8_t *quality = calloc(count * OUTPUTS, 1);
    geminus_behavior_types_alert_t *alerts = calloc(count, sizeof *alerts);
    if (values == NULL || quality == NULL || alerts == NULL) abort();
    size_t calls = 0;
    for (size_t r = 0; r < count; r++) {
        twin_t *twin = twin_in(rows->slots.ptr[r]);
        double rate = advance(twin, rows->times.ptr[r], rows->values.ptr[r], rows->quality.ptr[r]);
        values[r * OUTPUTS] = twin->smooth;
        values[r * OUTPUTS + 1] = rate;
        quality[r * OUTPUTS] = isnan(twin->smooth) ? MISSING : GOOD;
        quality[r * OUTPUTS + 1] = isnan(rate) ? MISSING : GOOD;
        if (twin->smooth > twin->limit) {
            geminus_behavior_types_alert_t *alert = &alerts[calls++];
            alert->row = (uint32_t)r;
            alert->alert = 0;
            alert->value = twin->smooth;
            plugin_string_dup(&alert->detail, "the level stands above its limit");
        }
    }
    outcome->values.ptr = values;
    outcome->values.len = count * OUTPUTS;
    outcome->quality.ptr = quality;
    outcome->quality.len = count * OUTPUTS;
    outcome->alerts.ptr = alerts;
    outcome->alerts.len = calls;
    if (calls == 0) free(alerts); // the host frees no empty list
    exports_geminus_behavior_behavior_rows_free(rows);
    return true;
}

bool exports_geminus_behavior_behavior_forecast(exports_geminus_behavior_behavior_forecast_request_t *request,
    exports_geminus_behavior_behavior_prediction_t *prediction, fault_t *fault) {
    (void)prediction;
    exports_geminus_behavior_behavior_forecast_request_free(request);
    fault->tag = GEMINUS_BEHAVIOR_TYPES_FAULT_NOT_DECLARED;
    plugin_string_dup(&fault->val.not_declared, "it looks at the past only");
    return false;
}

// State: the smoothed level and the time of its measurement, as they lie in memory (wasm is little-endian).
bool exports_geminus_behavior_behavior_snapshot(exports_geminus_behavior_behavior_list_slot_t *slots,
    uint32_t *schema, exports_geminus_behavior_behavior_states_t *states, fault_t *fault) {
    if (schema != NULL && *schema != SCHEMA) return bad_state(fault, "only schema 1 is known");
    size_t count = slots->len;
    uint8_t *bytes = malloc(count * STATE_BYTES);
    uint32_t *ends = malloc(count * sizeof *ends);
    if (count > 0 && (bytes == NULL || ends == NULL)) abort();
    for (size_t i = 0; i < count; i++) {
        const twin_t *twin = twin_in(slots->ptr[i]);
        if (twin == NULL) return other(fault, "a slot is not open");
        memcpy(bytes + i * STATE_BYTES, &twin->smooth, 8);
        memcpy(bytes + i * STATE_BYTES + 8, &twin->measured_at, 8);
        ends[i] = (uint32_t)((i + 1) * STATE_BYTES);
    }
    states->schema = SCHEMA;
    states->slots.ptr = slots->ptr;
    states->slots.len = count;
    states->bytes.ptr = bytes;
    states->bytes.len = count * STATE_BYTES;
    states->ends.ptr = ends;
    states->ends.len = count;
    return true;
}

bool exports_geminus_behavior_behavior_restore(
    exports_geminus_behavior_behavior_states_t *states, fault_t *fault) {
    if (states->schema != SCHEMA) return bad_state(fault, "only schema 1 is known");
    if (states->bytes.len != states->slots.len * STATE_BYTES) return bad_state(fault, "it has another length");
    for (size_t i = 0; i < states->slots.len; i++) {
        if (twin_in(states->slots.ptr[i]) == NULL) return other(fault, "a slot is not open");
    }
    for (size_t i = 0; i < states->slots.len; i++) {
        twin_t *twin = twin_in(states->slots.ptr[i]);
        memcpy(&twin->smooth, states->bytes.ptr + i * STATE_BYTES, 8);
        memcpy(&twin->measured_at, states->bytes.ptr + i * STATE_BYTES + 8, 8);
    }
    exports_geminus_behavior_behavior_states_free(states);
    return true;
}

void exports_geminus_behavior_behavior_close(exports_geminus_behavior_behavior_list_slot_t *slots) {
    for (size_t i = 0; i < slots->len; i++) {
        twin_t *twin = twin_in(slots->ptr[i]);
        if (twin != NULL) twin->open = false;
    }
    exports_geminus_behavior_behavior_list_slot_free(slots);
}
