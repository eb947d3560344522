/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/points/role.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Equipment: Brick 1.3 class, and the names people also write. The first of a class is the one shown. */
static const struct {
        const char *brick;
        enum equipment_class cls;
} equipment_names[] = {
    {"ICT_Rack", EQ_RACK},
    {"Rack", EQ_RACK},
    {"Computer_Room_Air_Handler", EQ_CRAH},
    {"CRAH", EQ_CRAH},
    {"Computer_Room_Air_Conditioning", EQ_CRAH},
    {"CRAC", EQ_CRAH},
    {"Air_Handler_Unit", EQ_CRAH},
    {"Air_Handling_Unit", EQ_CRAH},
    {"AHU", EQ_CRAH},
    {"Chiller", EQ_CHILLER},
    {"Centrifugal_Chiller", EQ_CHILLER},
    {"Cooling_Tower", EQ_TOWER},
    {"Water_Pump", EQ_PUMP},
    {"Pump", EQ_PUMP},
    {"Chilled_Water_Pump", EQ_PUMP},
    {"Condenser_Water_Pump", EQ_PUMP},
    {"Chilled_Water_System", EQ_PLANT},
    {"Water_Side_Economizer", EQ_ECONOMIZER},
    {"Economizer", EQ_ECONOMIZER},
    {"Heat_Exchanger", EQ_ECONOMIZER},
    {"Weather_Station", EQ_WEATHER},
    {"Room", EQ_ROOM},
    {"Server_Room", EQ_ROOM},
    {"HVAC_Zone", EQ_ROOM},
    {"Building_Electrical_Meter", EQ_METER},
    {"Electrical_Meter", EQ_METER},
};

/* Point classes with the equipment on which they play a role. EQ_NONE: on any equipment, or on none. Several rows of
 * one class: the equipment decides; a class met on other equipment plays no role. */
static const struct {
        const char *brick;
        enum equipment_class eq;
        enum role role;
} point_roles[] = {
    {"Intake_Air_Temperature_Sensor", EQ_RACK, ROLE_INLET_TEMP},
    {"Intake_Air_Temperature_Sensor", EQ_CRAH, ROLE_RAT},
    {"Exhaust_Air_Temperature_Sensor", EQ_RACK, ROLE_OUTLET_TEMP},
    {"Electric_Power_Sensor", EQ_RACK, ROLE_RACK_POWER},
    {"Electric_Power_Sensor", EQ_CRAH, ROLE_CRAH_POWER},
    {"Electric_Power_Sensor", EQ_CHILLER, ROLE_CHILLER_POWER},
    {"Electric_Power_Sensor", EQ_TOWER, ROLE_TOWER_POWER},
    {"Electric_Power_Sensor", EQ_PUMP, ROLE_PUMP_POWER},
    {"Electric_Power_Sensor", EQ_METER, ROLE_METER_POWER},
    {"Supply_Air_Temperature_Sensor", EQ_CRAH, ROLE_SAT},
    {"Discharge_Air_Temperature_Sensor", EQ_CRAH, ROLE_SAT},
    {"Leaving_Air_Temperature_Sensor", EQ_CRAH, ROLE_SAT},
    {"Supply_Air_Temperature_Setpoint", EQ_CRAH, ROLE_SAT_SP},
    {"Discharge_Air_Temperature_Setpoint", EQ_CRAH, ROLE_SAT_SP},
    {"Return_Air_Temperature_Sensor", EQ_CRAH, ROLE_RAT},
    {"Entering_Air_Temperature_Sensor", EQ_CRAH, ROLE_RAT},
    {"Mixed_Air_Temperature_Sensor", EQ_CRAH, ROLE_MAT},
    {"Fan_Speed_Command", EQ_CRAH, ROLE_FAN_CMD},
    {"Fan_Speed_Setpoint", EQ_CRAH, ROLE_FAN_CMD},
    {"Fan_Speed_Sensor", EQ_CRAH, ROLE_FAN},
    {"Fan_Speed_Sensor", EQ_TOWER, ROLE_TOWER_FAN},
    {"Chilled_Water_Valve_Position_Sensor", EQ_CRAH, ROLE_VALVE},
    {"Cooling_Valve_Position_Sensor", EQ_CRAH, ROLE_VALVE},
    {"Heating_Valve_Position_Sensor", EQ_CRAH, ROLE_HEAT_VALVE},
    {"Damper_Position_Sensor", EQ_CRAH, ROLE_DAMPER},
    {"Outside_Air_Damper_Position_Sensor", EQ_CRAH, ROLE_DAMPER},
    {"Differential_Pressure_Sensor", EQ_CRAH, ROLE_AIR_DP},
    {"Differential_Pressure_Sensor", EQ_ROOM, ROLE_AIR_DP},
    {"Static_Pressure_Sensor", EQ_CRAH, ROLE_AIR_DP},
    {"Supply_Air_Static_Pressure_Sensor", EQ_CRAH, ROLE_AIR_DP},
    {"Underfloor_Air_Plenum_Static_Pressure_Sensor", EQ_ROOM, ROLE_AIR_DP},
    {"On_Off_Status", EQ_CRAH, ROLE_CRAH_STATUS},
    {"On_Off_Status", EQ_CHILLER, ROLE_CHILLER_STATUS},
    {"On_Off_Status", EQ_ECONOMIZER, ROLE_ECON_STATUS},
    {"On_Off_Command", EQ_CHILLER, ROLE_CHILLER_ENABLE},
    {"Enable_Command", EQ_CHILLER, ROLE_CHILLER_ENABLE},
    {"Leaving_Chilled_Water_Temperature_Sensor", EQ_CHILLER, ROLE_CHWST},
    {"Leaving_Chilled_Water_Temperature_Sensor", EQ_PLANT, ROLE_CHWST},
    {"Chilled_Water_Supply_Temperature_Sensor", EQ_CHILLER, ROLE_CHWST},
    {"Chilled_Water_Supply_Temperature_Sensor", EQ_PLANT, ROLE_CHWST},
    {"Entering_Chilled_Water_Temperature_Sensor", EQ_CHILLER, ROLE_CHWRT},
    {"Entering_Chilled_Water_Temperature_Sensor", EQ_PLANT, ROLE_CHWRT},
    {"Chilled_Water_Return_Temperature_Sensor", EQ_CHILLER, ROLE_CHWRT},
    {"Chilled_Water_Return_Temperature_Sensor", EQ_PLANT, ROLE_CHWRT},
    {"Leaving_Chilled_Water_Temperature_Setpoint", EQ_CHILLER, ROLE_CHWST_SP},
    {"Leaving_Chilled_Water_Temperature_Setpoint", EQ_PLANT, ROLE_CHWST_SP},
    {"Supply_Chilled_Water_Temperature_Setpoint", EQ_CHILLER, ROLE_CHWST_SP},
    {"Supply_Chilled_Water_Temperature_Setpoint", EQ_PLANT, ROLE_CHWST_SP},
    {"Chilled_Water_Flow_Sensor", EQ_CHILLER, ROLE_CHW_FLOW},
    {"Chilled_Water_Flow_Sensor", EQ_PLANT, ROLE_CHW_FLOW},
    /* Entering and leaving are seen from the equipment: what leaves the tower enters the condenser. */
    {"Entering_Condenser_Water_Temperature_Sensor", EQ_CHILLER, ROLE_CWST},
    {"Entering_Condenser_Water_Temperature_Sensor", EQ_PLANT, ROLE_CWST},
    {"Leaving_Condenser_Water_Temperature_Sensor", EQ_TOWER, ROLE_CWST},
    {"Leaving_Condenser_Water_Temperature_Sensor", EQ_CHILLER, ROLE_CWRT},
    {"Leaving_Condenser_Water_Temperature_Sensor", EQ_PLANT, ROLE_CWRT},
    {"Entering_Condenser_Water_Temperature_Sensor", EQ_TOWER, ROLE_CWRT},
    /* A tower can only be given the temperature it delivers, whichever end the integrator named it from. */
    {"Entering_Condenser_Water_Temperature_Setpoint", EQ_PLANT, ROLE_CWST_SP},
    {"Entering_Condenser_Water_Temperature_Setpoint", EQ_CHILLER, ROLE_CWST_SP},
    {"Entering_Condenser_Water_Temperature_Setpoint", EQ_TOWER, ROLE_CWST_SP},
    {"Leaving_Condenser_Water_Temperature_Setpoint", EQ_TOWER, ROLE_CWST_SP},
    {"Part_Load_Ratio_Sensor", EQ_CHILLER, ROLE_CHILLER_PLR},
    {"Outside_Air_Temperature_Sensor", EQ_NONE, ROLE_OAT},
    {"Outside_Air_Wet_Bulb_Temperature_Sensor", EQ_NONE, ROLE_WETBULB},
    {"Outside_Air_Humidity_Sensor", EQ_NONE, ROLE_OA_RH},
    {"Dewpoint_Sensor", EQ_ROOM, ROLE_DEWPOINT},
    {"Dewpoint_Sensor", EQ_CRAH, ROLE_DEWPOINT},
    {"Dewpoint_Sensor", EQ_RACK, ROLE_DEWPOINT},
    {"Occupancy_Status", EQ_NONE, ROLE_OCCUPANCY},
    /* Brick has no word for these: ours. */
    {"Server_Fan_Power_Sensor", EQ_RACK, ROLE_SERVER_FAN_POWER},
    {"Heartbeat_Command", EQ_NONE, ROLE_HEARTBEAT_CMD},
    {"Heartbeat_Status", EQ_NONE, ROLE_HEARTBEAT_ECHO},
    {"Remote_Enable_Command", EQ_NONE, ROLE_REMOTE_ENABLE},
    {"Remote_Enable_Status", EQ_NONE, ROLE_REMOTE_STATUS},
    {"Watchdog_Time", EQ_NONE, ROLE_WATCHDOG_TIME},
};

/* Known, stored and shown, not used for control. */
static const char *const roleless[] = {
    "Alarm",
    "Fault_Status",
    "Leak_Alarm",
    "Filter_Alarm",
    "Maintenance_Mode_Status",
    "Mode_Status",
    "Operating_Mode_Status",
    "Local_Remote_Status",
    "Status",
    "Sensor",
    "Setpoint",
    "Command",
    "Run_Hours",
    "Run_Time_Sensor",
    "Start_Count",
    "Start_Stop_Status",
    "Start_Stop_Command",
    "Energy_Sensor",
    "Electric_Energy_Sensor",
    "Thermal_Power_Sensor",
    "Water_Usage_Sensor",
    "Voltage",
    "Voltage_Sensor",
    "Current_Sensor",
    "Power_Factor_Sensor",
    "Frequency_Sensor",
    "Peak_Power_Demand_Sensor",
    "Reactive_Power_Sensor",
    "Motor_Current_Sensor",
    "Motor_Speed_Sensor",
    "Frequency_Command",
    "Relative_Humidity_Sensor",
    "Return_Air_Humidity_Sensor",
    "Supply_Air_Humidity_Sensor",
    "Zone_Air_Humidity_Sensor",
    "Humidity_Setpoint",
    "Zone_Air_Temperature_Sensor",
    "Zone_Air_Temperature_Setpoint",
    "Return_Air_Temperature_Setpoint",
    "Air_Temperature_Sensor",
    "Outside_Air_Dewpoint_Sensor",
    "Barometric_Pressure_Sensor",
    "Wind_Speed_Sensor",
    "Wind_Direction_Sensor",
    "Solar_Radiance_Sensor",
    "Chilled_Water_Temperature_Sensor",
    "Condenser_Water_Temperature_Sensor",
    "Condenser_Water_Flow_Sensor",
    "Chilled_Water_Differential_Pressure_Sensor",
    "Chilled_Water_Differential_Pressure_Setpoint",
    "Chilled_Water_Differential_Temperature_Sensor",
    "Water_Level_Sensor",
    "Water_Flow_Sensor",
    "Water_Temperature_Sensor",
    "Supply_Air_Flow_Sensor",
    "Return_Air_Flow_Sensor",
    "Air_Flow_Sensor",
    "Supply_Air_Static_Pressure_Setpoint",
    "Static_Pressure_Setpoint",
    "Pressure_Sensor",
    "Position_Sensor",
    "Position_Command",
    "Valve_Command",
    "Valve_Position_Sensor",
    "Damper_Position_Command",
    "Exhaust_Air_Damper_Position_Sensor",
    "Return_Air_Damper_Position_Sensor",
    "Return_Fan_Speed_Sensor",
    "Fan_On_Off_Status",
    "Fan_Status",
    "Pump_On_Off_Status",
    "Pump_Speed_Sensor",
    "CPU_Load_Sensor",
    "Compressor_Status",
    "Evaporator_Pressure_Sensor",
    "Condenser_Pressure_Sensor",
    "Firmware_Version",
    "Serial_Number",
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum equipment_class equipment_class_from_brick(const char *brick)
{
        for (size_t i = 0; i < COUNT(equipment_names); i++)
                if (strcmp(brick, equipment_names[i].brick) == 0)
                        return equipment_names[i].cls;
        return EQ_NONE;
}

const char *equipment_class_str(enum equipment_class c)
{
        for (size_t i = 0; i < COUNT(equipment_names); i++)
                if (equipment_names[i].cls == c)
                        return equipment_names[i].brick;
        return "none";
}

int role_from_brick(const char *brick, enum equipment_class eq)
{
        bool known = false;
        if (brick[0] == '\0')
                return ROLE_NONE;
        for (size_t i = 0; i < COUNT(point_roles); i++) {
                if (strcmp(brick, point_roles[i].brick) != 0)
                        continue;
                if (point_roles[i].eq == EQ_NONE || point_roles[i].eq == eq)
                        return (int)point_roles[i].role;
                known = true;
        }
        for (size_t i = 0; i < COUNT(roleless) && !known; i++)
                known = strcmp(brick, roleless[i]) == 0;
        return known ? ROLE_NONE : -1;
}

const char *role_rule(size_t i, enum equipment_class *ret_eq, enum role *ret_role)
{
        if (i >= COUNT(point_roles))
                return NULL;
        *ret_eq = point_roles[i].eq;
        *ret_role = point_roles[i].role;
        return point_roles[i].brick;
}

const char *equipment_brick_name(size_t i)
{
        return i < COUNT(equipment_names) ? equipment_names[i].brick : NULL;
}

const char *point_brick_name(size_t i)
{
        if (i < COUNT(point_roles))
                return point_roles[i].brick;
        i -= COUNT(point_roles);
        return i < COUNT(roleless) ? roleless[i] : NULL;
}

static const char *const role_names[ROLE_COUNT_] = {
    [ROLE_NONE] = "none",
    [ROLE_INLET_TEMP] = "inlet_temp",
    [ROLE_OUTLET_TEMP] = "outlet_temp",
    [ROLE_RACK_POWER] = "rack_power",
    [ROLE_SAT] = "sat",
    [ROLE_SAT_SP] = "sat_sp",
    [ROLE_RAT] = "rat",
    [ROLE_MAT] = "mat",
    [ROLE_FAN_CMD] = "fan_cmd",
    [ROLE_FAN] = "fan",
    [ROLE_VALVE] = "valve",
    [ROLE_HEAT_VALVE] = "heat_valve",
    [ROLE_DAMPER] = "damper",
    [ROLE_CRAH_POWER] = "crah_power",
    [ROLE_AIR_DP] = "air_dp",
    [ROLE_CRAH_STATUS] = "crah_status",
    [ROLE_CHWST] = "chwst",
    [ROLE_CHWRT] = "chwrt",
    [ROLE_CHWST_SP] = "chwst_sp",
    [ROLE_CHW_FLOW] = "chw_flow",
    [ROLE_CWST] = "cwst",
    [ROLE_CWRT] = "cwrt",
    [ROLE_CWST_SP] = "cwst_sp",
    [ROLE_CHILLER_ENABLE] = "chiller_enable",
    [ROLE_CHILLER_STATUS] = "chiller_status",
    [ROLE_CHILLER_POWER] = "chiller_power",
    [ROLE_CHILLER_PLR] = "chiller_plr",
    [ROLE_TOWER_POWER] = "tower_power",
    [ROLE_TOWER_FAN] = "tower_fan",
    [ROLE_PUMP_POWER] = "pump_power",
    [ROLE_ECON_STATUS] = "econ_status",
    [ROLE_OAT] = "oat",
    [ROLE_WETBULB] = "wetbulb",
    [ROLE_OA_RH] = "oa_rh",
    [ROLE_DEWPOINT] = "dewpoint",
    [ROLE_HEARTBEAT_CMD] = "heartbeat_cmd",
    [ROLE_HEARTBEAT_ECHO] = "heartbeat_echo",
    [ROLE_REMOTE_ENABLE] = "remote_enable",
    [ROLE_REMOTE_STATUS] = "remote_status",
    [ROLE_WATCHDOG_TIME] = "watchdog_time",
    [ROLE_METER_POWER] = "meter_power",
    [ROLE_OCCUPANCY] = "occupancy",
    [ROLE_SERVER_FAN_POWER] = "server_fan_power",
};

const char *role_str(enum role r)
{
        return (int)r >= 0 && r < ROLE_COUNT_ ? role_names[r] : "?";
}
