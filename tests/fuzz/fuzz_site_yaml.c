/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The site file, beside a right profile.csv and points.csv. Oracles: success and errors exclude each other, failure
 * leaves the output alone, messages can be printed, and a site that loads keeps what site.h says.
 */
#include <math.h>
#include <string.h>

#include "agent/points/layout.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/site_oracle.h"

static const char profile_csv[] = "name,table,address,type,scale,unit,access,min,max,safe_dir,brick,order\n"
                                  "sat,input,0,int16,0.1,degC,,,,,Supply_Air_Temperature_Sensor,\n"
                                  "sat_sp,holding,0,uint16,0.1,degC,RW,18,27,-,Supply_Air_Temperature_Setpoint,\n"
                                  "fan_cmd,holding,1,uint16,0.1,%,RW,20,100,+,Fan_Speed_Command,\n"
                                  "hb,holding,9,uint16,,,RW,0,65535,,Heartbeat_Command,\n";
static const char points_csv[] = "name,device,table,address,type,unit,brick,equipment,key\n"
                                 "hall/log/x/rack_kw,,log,,,kW,,,kw\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static bool ready;
        if (!ready) {
                (void)fuzz_file("profile.csv", profile_csv, sizeof profile_csv - 1);
                (void)fuzz_file("points.csv", points_csv, sizeof points_csv - 1);
                ready = true;
        }
        struct site *s = site_checked_load(fuzz_file("site.yaml", data, size));
        if (s) {
                struct layout *l = NULL;
                if (layout_create(s, &l) == 0)
                        layout_free(l);
        }
        site_free(s);
        return 0;
}
