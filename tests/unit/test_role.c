/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/points/role.h"

static void test_role_by_equipment(void **state)
{
        (void)state;
        assert_int_equal(role_from_brick("Electric_Power_Sensor", EQ_RACK), ROLE_RACK_POWER);
        assert_int_equal(role_from_brick("Electric_Power_Sensor", EQ_CRAH), ROLE_CRAH_POWER);
        assert_int_equal(role_from_brick("Electric_Power_Sensor", EQ_CHILLER), ROLE_CHILLER_POWER);
        assert_int_equal(role_from_brick("Electric_Power_Sensor", EQ_PUMP), ROLE_PUMP_POWER);
        assert_int_equal(role_from_brick("Electric_Power_Sensor", EQ_TOWER), ROLE_TOWER_POWER);
        assert_int_equal(role_from_brick("Electric_Power_Sensor", EQ_METER), ROLE_METER_POWER);
        assert_int_equal(role_from_brick("Electric_Power_Sensor", EQ_ROOM), ROLE_NONE);
        assert_int_equal(role_from_brick("On_Off_Command", EQ_CHILLER), ROLE_CHILLER_ENABLE);
        assert_int_equal(role_from_brick("Intake_Air_Temperature_Sensor", EQ_RACK), ROLE_INLET_TEMP);
        assert_int_equal(role_from_brick("Outside_Air_Wet_Bulb_Temperature_Sensor", EQ_WEATHER), ROLE_WETBULB);
        assert_int_equal(role_from_brick("Outside_Air_Temperature_Sensor", EQ_NONE), ROLE_OAT);
        assert_int_equal(role_from_brick("Heartbeat_Command", EQ_CRAH), ROLE_HEARTBEAT_CMD);
        /* what leaves the tower enters the condenser */
        assert_int_equal(role_from_brick("Leaving_Condenser_Water_Temperature_Sensor", EQ_TOWER), ROLE_CWST);
        assert_int_equal(role_from_brick("Entering_Condenser_Water_Temperature_Sensor", EQ_CHILLER), ROLE_CWST);
        assert_int_equal(role_from_brick("Leaving_Condenser_Water_Temperature_Sensor", EQ_CHILLER), ROLE_CWRT);
}

static void test_unknown_and_roleless(void **state)
{
        (void)state;
        assert_int_equal(role_from_brick("Alarm", EQ_CRAH), ROLE_NONE);
        assert_int_equal(role_from_brick("", EQ_CRAH), ROLE_NONE);
        assert_int_equal(role_from_brick("Suply_Air_Temperature_Sensor", EQ_CRAH), -1);
        assert_int_equal(role_from_brick("supply_air_temperature_sensor", EQ_CRAH), -1);
        assert_int_equal(equipment_class_from_brick("AHU"), EQ_CRAH);
        assert_int_equal(equipment_class_from_brick("CRAC"), EQ_CRAH);
        assert_int_equal(equipment_class_from_brick("Toaster"), EQ_NONE);
}

static void test_names_complete(void **state)
{
        (void)state;
        for (int c = EQ_RACK; c <= EQ_METER; c++)
                assert_int_equal(equipment_class_from_brick(equipment_class_str((enum equipment_class)c)), c);
        for (int r = 0; r < ROLE_COUNT_; r++) {
                assert_non_null(role_str((enum role)r));
                for (int q = 0; q < r; q++)
                        assert_string_not_equal(role_str((enum role)r), role_str((enum role)q));
        }
        /* every role can be reached, and every listed class is known on every equipment */
        unsigned char seen[ROLE_COUNT_] = {0};
        for (size_t i = 0; point_brick_name(i) != NULL; i++)
                for (int c = EQ_NONE; c <= EQ_METER; c++) {
                        int r = role_from_brick(point_brick_name(i), (enum equipment_class)c);
                        assert_in_range(r, 0, ROLE_COUNT_ - 1);
                        seen[r] = 1;
                }
        for (int r = 0; r < ROLE_COUNT_; r++)
                if (!seen[r])
                        fail_msg("no class gives role %s", role_str((enum role)r));
        for (size_t i = 0; equipment_brick_name(i) != NULL; i++)
                assert_int_not_equal(equipment_class_from_brick(equipment_brick_name(i)), EQ_NONE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(test_role_by_equipment),
            cmocka_unit_test(test_unknown_and_roleless),
            cmocka_unit_test(test_names_complete),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
