/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Point maps: the input is a map once as `points` of a site, once as the profile of two devices, and the oracles are
 * those of a loaded site (site_oracle.c): every register pattern decodes to a believable number or is flagged, every
 * write lies inside its bounds. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/site_oracle.h"

#define COMMON                                                                                                         \
        "site: { name: hall }\n"                                                                                       \
        "zones: [ { name: room } ]\n"                                                                                  \
        "equipment:\n"                                                                                                 \
        "  - { name: crah-1, brick: CRAH, zone: room, airflow_m3s: 9 }\n"                                              \
        "  - { name: rack-1, brick: ICT_Rack, zone: room }\n"                                                          \
        "  - { name: chiller-1, brick: Chiller, capacity_w: 500000 }\n"                                                \
        "mqtt: { host: 127.0.0.1 }\n"

static const char as_points[] =
    COMMON "points: [ map.csv ]\n"
           "devices:\n"
           "  - { name: bms, protocol: modbus-tcp, host: 127.0.0.1, port: 1502, unit_id: 255 }\n"
           "  - { name: rtu, protocol: modbus-rtu, host: /dev/null, unit_id: 3, address_style: modicon5 }\n"
           "  - { name: m, protocol: mqtt, topic: plant/m }\n";
static const char as_profile[] = COMMON
    "profiles: { p: map.csv }\n"
    "devices:\n"
    "  - { name: bms, protocol: modbus-tcp, host: 127.0.0.1, port: 1502, profile: p, equipment: crah-1 }\n"
    "  - { name: rtu, protocol: modbus-rtu, host: /dev/null, unit_id: 3, profile: p, address_style: one_based }\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        (void)fuzz_file("map.csv", data, size);
        site_free(site_checked_load(fuzz_file("site.yaml", as_points, sizeof as_points - 1)));
        site_free(site_checked_load(fuzz_file("site.yaml", as_profile, sizeof as_profile - 1)));
        return 0;
}
