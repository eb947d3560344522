/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The device models' register tables, sorted by (holding, address). Included by registers_site.c only. */
#ifndef COOLPLANE_SIM_REGISTERS_TABLES_H
#define COOLPLANE_SIM_REGISTERS_TABLES_H

#include "sim/registers.h"

#define IN false
#define HOLD true

/* Vendor A: 16-bit integers, readings in input registers, commands in holding registers. Reserved registers read 0. */
static const struct reg crah_a[] = {
    {"supply_air_temp", "Supply_Air_Temperature_Sensor", Q_CRAH_SAT, IN, 0, REG_INT16, REG_AB, 0.01, REG_DEGC, NULL, 0},
    {"return_air_temp", "Return_Air_Temperature_Sensor", Q_CRAH_RAT, IN, 1, REG_INT16, REG_AB, 0.1, REG_DEGC, NULL, 0},
    {"chw_entering_temp", "Chilled_Water_Temperature_Sensor", Q_CRAH_CHW_IN, IN, 2, REG_INT16, REG_AB, 0.1, REG_DEGC,
     NULL, 0},
    {"chw_leaving_temp", "Chilled_Water_Temperature_Sensor", Q_CRAH_CHW_OUT, IN, 3, REG_INT16, REG_AB, 0.1, REG_DEGC,
     NULL, 0},
    {"fan_speed", "Fan_Speed_Sensor", Q_CRAH_FAN, IN, 4, REG_UINT16, REG_AB, 0.1, REG_PERCENT, NULL, 0},
    {"chw_valve", "Chilled_Water_Valve_Position_Sensor", Q_CRAH_VALVE, IN, 5, REG_UINT16, REG_AB, 0.1, REG_PERCENT,
     NULL, 0},
    {"fan_power", "Electric_Power_Sensor", Q_CRAH_POWER, IN, 6, REG_UINT16, REG_AB, 0.01, REG_KW, NULL, 0},
    {"underfloor_dp", "Differential_Pressure_Sensor", Q_CRAH_DP, IN, 7, REG_UINT16, REG_AB, 0.1, REG_PA, NULL, 0},
    {"airflow", "Supply_Air_Flow_Sensor", Q_CRAH_AIRFLOW, IN, 8, REG_UINT16, REG_AB, 0.001, REG_M3S, NULL, 0},
    {"running", "On_Off_Status", Q_CRAH_RUNNING, IN, 12, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"alarm", "Alarm", Q_CRAH_ALARM, IN, 13, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"remote_status", "Remote_Enable_Status", Q_REMOTE_STATUS, IN, 14, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"heartbeat_echo", "Heartbeat_Status", Q_HEARTBEAT_ECHO, IN, 15, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"supply_air_temp_sp", "Supply_Air_Temperature_Setpoint", Q_CRAH_SAT_CMD, HOLD, 0, REG_UINT16, REG_AB, 0.01,
     REG_DEGC, NULL, 0},
    {"fan_cmd", "Fan_Speed_Command", Q_CRAH_FAN_CMD, HOLD, 1, REG_UINT16, REG_AB, 0.01, REG_PERCENT, NULL, 0},
    {"heartbeat", "Heartbeat_Command", Q_HEARTBEAT_CMD, HOLD, 10, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"remote_enable", "Remote_Enable_Command", Q_REMOTE_CMD, HOLD, 11, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"watchdog_time", "Watchdog_Time", Q_WATCHDOG, HOLD, 12, REG_UINT16, REG_AB, 1, REG_S, NULL, 0},
};

/* Vendor B: float32 in CDAB order, all in holding registers, gaps are illegal addresses. */
static const struct reg crah_b[] = {
    {"supply_air_temp", "Supply_Air_Temperature_Sensor", Q_CRAH_SAT, HOLD, 100, REG_FLOAT32, REG_CDAB, 1, REG_DEGC,
     NULL, 0},
    {"return_air_temp", "Return_Air_Temperature_Sensor", Q_CRAH_RAT, HOLD, 102, REG_FLOAT32, REG_CDAB, 1, REG_DEGC,
     NULL, 0},
    {"chw_entering_temp", "Chilled_Water_Temperature_Sensor", Q_CRAH_CHW_IN, HOLD, 104, REG_FLOAT32, REG_CDAB, 1,
     REG_DEGC, NULL, 0},
    {"chw_leaving_temp", "Chilled_Water_Temperature_Sensor", Q_CRAH_CHW_OUT, HOLD, 106, REG_FLOAT32, REG_CDAB, 1,
     REG_DEGC, NULL, 0},
    {"fan_speed", "Fan_Speed_Sensor", Q_CRAH_FAN, HOLD, 108, REG_FLOAT32, REG_CDAB, 1, REG_RATIO, NULL, 0},
    {"chw_valve", "Chilled_Water_Valve_Position_Sensor", Q_CRAH_VALVE, HOLD, 110, REG_FLOAT32, REG_CDAB, 1, REG_PERCENT,
     NULL, 0},
    {"fan_power", "Electric_Power_Sensor", Q_CRAH_POWER, HOLD, 112, REG_FLOAT32, REG_CDAB, 1, REG_W, NULL, 0},
    {"underfloor_dp", "Differential_Pressure_Sensor", Q_CRAH_DP, HOLD, 114, REG_FLOAT32, REG_CDAB, 1, REG_PA, NULL, 0},
    {"airflow", "Supply_Air_Flow_Sensor", Q_CRAH_AIRFLOW, HOLD, 116, REG_FLOAT32, REG_CDAB, 1, REG_M3S, NULL, 0},
    {"supply_air_temp_sp", "Supply_Air_Temperature_Setpoint", Q_CRAH_SAT_CMD, HOLD, 200, REG_FLOAT32, REG_CDAB, 1,
     REG_DEGC, NULL, 0},
    {"fan_cmd", "Fan_Speed_Command", Q_CRAH_FAN_CMD, HOLD, 202, REG_FLOAT32, REG_CDAB, 1, REG_RATIO, NULL, 0},
    {"running", "On_Off_Status", Q_CRAH_RUNNING, HOLD, 300, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"alarm", "Alarm", Q_CRAH_ALARM, HOLD, 301, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"remote_enable", "Remote_Enable_Command", Q_REMOTE_CMD, HOLD, 310, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"remote_status", "Remote_Enable_Status", Q_REMOTE_STATUS, HOLD, 311, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"heartbeat", "Heartbeat_Command", Q_HEARTBEAT_CMD, HOLD, 312, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"heartbeat_echo", "Heartbeat_Status", Q_HEARTBEAT_ECHO, HOLD, 313, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"watchdog_time", "Watchdog_Time", Q_WATCHDOG, HOLD, 314, REG_UINT16, REG_AB, 1, REG_S, NULL, 0},
};

/* Vendor C: an American unit; return air in °F, power as int32 mW in BADC order, bytes swapped in some registers. */
static const struct reg crah_c[] = {
    {"supply_air_temp", "Supply_Air_Temperature_Sensor", Q_CRAH_SAT, IN, 1000, REG_INT16, REG_BA, 0.01, REG_DEGC, NULL,
     0},
    {"return_air_temp", "Return_Air_Temperature_Sensor", Q_CRAH_RAT, IN, 1001, REG_INT16, REG_AB, 0.1, REG_DEGF, NULL,
     0},
    {"fan_power", "Electric_Power_Sensor", Q_CRAH_POWER, IN, 1002, REG_INT32, REG_BADC, 0.001, REG_W, NULL, 0},
    {"underfloor_dp", "Differential_Pressure_Sensor", Q_CRAH_DP, IN, 1004, REG_FLOAT32, REG_DCBA, 1, REG_PA, NULL, 0},
    {"chw_entering_temp", "Chilled_Water_Temperature_Sensor", Q_CRAH_CHW_IN, IN, 1006, REG_UINT16, REG_AB, 0.01,
     REG_DEGC, NULL, 0},
    {"chw_leaving_temp", "Chilled_Water_Temperature_Sensor", Q_CRAH_CHW_OUT, IN, 1007, REG_UINT16, REG_AB, 0.01,
     REG_DEGC, NULL, 0},
    {"fan_speed", "Fan_Speed_Sensor", Q_CRAH_FAN, IN, 1010, REG_UINT16, REG_AB, 0.0001, REG_RATIO, NULL, 0},
    {"chw_valve", "Chilled_Water_Valve_Position_Sensor", Q_CRAH_VALVE, IN, 1011, REG_UINT16, REG_AB, 0.001, REG_RATIO,
     NULL, 0},
    {"airflow", "Supply_Air_Flow_Sensor", Q_CRAH_AIRFLOW, IN, 1012, REG_UINT32, REG_ABCD, 0.01, REG_LPS, NULL, 0},
    {"running", "On_Off_Status", Q_CRAH_RUNNING, IN, 1020, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"alarm", "Alarm", Q_CRAH_ALARM, IN, 1021, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"remote_status", "Remote_Enable_Status", Q_REMOTE_STATUS, IN, 1022, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"heartbeat_echo", "Heartbeat_Status", Q_HEARTBEAT_ECHO, IN, 1023, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"supply_air_temp_sp", "Supply_Air_Temperature_Setpoint", Q_CRAH_SAT_CMD, HOLD, 2000, REG_INT32, REG_BADC, 0.001,
     REG_DEGC, NULL, 0},
    {"fan_cmd", "Fan_Speed_Command", Q_CRAH_FAN_CMD, HOLD, 2002, REG_UINT16, REG_AB, 0.0001, REG_RATIO, NULL, 0},
    {"remote_enable", "Remote_Enable_Command", Q_REMOTE_CMD, HOLD, 2010, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"heartbeat", "Heartbeat_Command", Q_HEARTBEAT_CMD, HOLD, 2011, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"watchdog_time", "Watchdog_Time", Q_WATCHDOG, HOLD, 2012, REG_UINT16, REG_AB, 1, REG_S, NULL, 0},
};

static const struct reg chiller_a[] = {
    {"chw_leaving_temp", "Leaving_Chilled_Water_Temperature_Sensor", Q_CH_CHWST, IN, 0, REG_INT16, REG_AB, 0.01,
     REG_DEGC, NULL, 0},
    {"chw_entering_temp", "Entering_Chilled_Water_Temperature_Sensor", Q_CH_CHWRT, IN, 1, REG_INT16, REG_AB, 0.01,
     REG_DEGC, NULL, 0},
    {"cw_entering_temp", "Entering_Condenser_Water_Temperature_Sensor", Q_CH_CW_IN, IN, 2, REG_INT16, REG_AB, 0.01,
     REG_DEGC, NULL, 0},
    {"cw_leaving_temp", "Leaving_Condenser_Water_Temperature_Sensor", Q_CH_CW_OUT, IN, 3, REG_INT16, REG_AB, 0.01,
     REG_DEGC, NULL, 0},
    {"power", "Electric_Power_Sensor", Q_CH_POWER, IN, 4, REG_UINT32, REG_CDAB, 1, REG_W, NULL, 0},
    {"part_load_ratio", "Part_Load_Ratio_Sensor", Q_CH_PLR, IN, 6, REG_UINT16, REG_AB, 0.1, REG_PERCENT, NULL, 0},
    {"chw_flow", "Chilled_Water_Flow_Sensor", Q_CH_FLOW, IN, 7, REG_UINT16, REG_AB, 0.01, REG_LPS, NULL, 0},
    {"running", "On_Off_Status", Q_CH_RUNNING, IN, 10, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"alarm", "Alarm", Q_CH_ALARM, IN, 11, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"starts", "Start_Count", Q_CH_STARTS, IN, 12, REG_UINT32, REG_ABCD, 1, REG_NONE, NULL, 0},
    {"run_hours", "Run_Hours", Q_CH_HOURS, IN, 14, REG_UINT32, REG_ABCD, 0.1, REG_H, NULL, 0},
    {"remote_status", "Remote_Enable_Status", Q_REMOTE_STATUS, IN, 16, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"heartbeat_echo", "Heartbeat_Status", Q_HEARTBEAT_ECHO, IN, 17, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"enable", "On_Off_Command", Q_CH_ENABLE_CMD, HOLD, 0, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"heartbeat", "Heartbeat_Command", Q_HEARTBEAT_CMD, HOLD, 10, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"remote_enable", "Remote_Enable_Command", Q_REMOTE_CMD, HOLD, 11, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"watchdog_time", "Watchdog_Time", Q_WATCHDOG, HOLD, 12, REG_UINT16, REG_AB, 1, REG_S, NULL, 0},
};

static const struct reg chiller_b[] = {
    {"chw_leaving_temp", "Leaving_Chilled_Water_Temperature_Sensor", Q_CH_CHWST, IN, 0, REG_FLOAT32, REG_ABCD, 1,
     REG_DEGC, NULL, 0},
    {"chw_entering_temp", "Entering_Chilled_Water_Temperature_Sensor", Q_CH_CHWRT, IN, 2, REG_FLOAT32, REG_ABCD, 1,
     REG_DEGC, NULL, 0},
    {"cw_entering_temp", "Entering_Condenser_Water_Temperature_Sensor", Q_CH_CW_IN, IN, 4, REG_FLOAT32, REG_ABCD, 1,
     REG_DEGC, NULL, 0},
    {"cw_leaving_temp", "Leaving_Condenser_Water_Temperature_Sensor", Q_CH_CW_OUT, IN, 6, REG_FLOAT32, REG_ABCD, 1,
     REG_DEGC, NULL, 0},
    {"power", "Electric_Power_Sensor", Q_CH_POWER, IN, 20, REG_FLOAT32, REG_DCBA, 1, REG_KW, NULL, 0},
    {"part_load_ratio", "Part_Load_Ratio_Sensor", Q_CH_PLR, IN, 22, REG_FLOAT32, REG_DCBA, 1, REG_RATIO, NULL, 0},
    {"chw_flow", "Chilled_Water_Flow_Sensor", Q_CH_FLOW, IN, 24, REG_FLOAT32, REG_DCBA, 1, REG_LPS, NULL, 0},
    {"running", "On_Off_Status", Q_CH_RUNNING, IN, 40, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"alarm", "Alarm", Q_CH_ALARM, IN, 41, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"starts", "Start_Count", Q_CH_STARTS, IN, 42, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"run_hours", "Run_Hours", Q_CH_HOURS, IN, 43, REG_UINT32, REG_ABCD, 1, REG_H, NULL, 0},
    {"remote_status", "Remote_Enable_Status", Q_REMOTE_STATUS, IN, 45, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"heartbeat_echo", "Heartbeat_Status", Q_HEARTBEAT_ECHO, IN, 46, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"enable", "On_Off_Command", Q_CH_ENABLE_CMD, HOLD, 500, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"heartbeat", "Heartbeat_Command", Q_HEARTBEAT_CMD, HOLD, 501, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"remote_enable", "Remote_Enable_Command", Q_REMOTE_CMD, HOLD, 502, REG_UINT16, REG_AB, 1, REG_NONE, NULL, 0},
    {"watchdog_time", "Watchdog_Time", Q_WATCHDOG, HOLD, 503, REG_UINT16, REG_AB, 1, REG_S, NULL, 0},
};

/* The plant controller: float32 BADC; pumps, tower and economiser are equipment of their own. */
static const struct reg plant_ctl[] = {
    {"chw_leaving_temp", "Leaving_Chilled_Water_Temperature_Sensor", Q_W_CHWST, IN, 0, REG_FLOAT32, REG_BADC, 1,
     REG_DEGC, "plant", 0},
    {"chw_entering_temp", "Entering_Chilled_Water_Temperature_Sensor", Q_W_CHWRT, IN, 2, REG_FLOAT32, REG_BADC, 1,
     REG_DEGC, "plant", 0},
    {"cw_entering_temp", "Entering_Condenser_Water_Temperature_Sensor", Q_W_CWST, IN, 4, REG_FLOAT32, REG_BADC, 1,
     REG_DEGC, "plant", 0},
    {"cw_leaving_temp", "Leaving_Condenser_Water_Temperature_Sensor", Q_W_CWRT, IN, 6, REG_FLOAT32, REG_BADC, 1,
     REG_DEGC, "plant", 0},
    {"chw_flow", "Chilled_Water_Flow_Sensor", Q_W_CHW_FLOW, IN, 8, REG_FLOAT32, REG_BADC, 1, REG_M3S, "plant", 0},
    {"cw_flow", "Condenser_Water_Flow_Sensor", Q_W_CW_FLOW, IN, 10, REG_FLOAT32, REG_BADC, 1, REG_M3S, "plant", 0},
    {"power", "Electric_Power_Sensor", Q_W_CHW_PUMP, IN, 20, REG_FLOAT32, REG_BADC, 1, REG_W, "chw-pumps", 0},
    {"power", "Electric_Power_Sensor", Q_W_CW_PUMP, IN, 22, REG_FLOAT32, REG_BADC, 1, REG_W, "cw-pumps", 0},
    {"power", "Electric_Power_Sensor", Q_W_TOWER_POWER, IN, 24, REG_FLOAT32, REG_BADC, 1, REG_W, "towers", 0},
    {"fan_speed", "Fan_Speed_Sensor", Q_W_TOWER_FAN, IN, 26, REG_UINT16, REG_AB, 0.1, REG_PERCENT, "towers", 0},
    {"running", "On_Off_Status", Q_W_ECON, IN, 27, REG_UINT16, REG_AB, 1, REG_NONE, "economizer", 0},
    {"remote_status", "Remote_Enable_Status", Q_REMOTE_STATUS, IN, 30, REG_UINT16, REG_AB, 1, REG_NONE, "plant", 0},
    {"heartbeat_echo", "Heartbeat_Status", Q_HEARTBEAT_ECHO, IN, 31, REG_UINT16, REG_AB, 1, REG_NONE, "plant", 0},
    {"chw_leaving_temp_sp", "Leaving_Chilled_Water_Temperature_Setpoint", Q_W_CHWST_CMD, HOLD, 0, REG_UINT16, REG_AB,
     0.01, REG_DEGC, "plant", 0},
    {"cw_entering_temp_sp", "Entering_Condenser_Water_Temperature_Setpoint", Q_W_CWST_CMD, HOLD, 1, REG_UINT16, REG_AB,
     0.01, REG_DEGC, "plant", 0},
    {"heartbeat", "Heartbeat_Command", Q_HEARTBEAT_CMD, HOLD, 10, REG_UINT16, REG_AB, 1, REG_NONE, "plant", 0},
    {"remote_enable", "Remote_Enable_Command", Q_REMOTE_CMD, HOLD, 11, REG_UINT16, REG_AB, 1, REG_NONE, "plant", 0},
    {"watchdog_time", "Watchdog_Time", Q_WATCHDOG, HOLD, 12, REG_UINT16, REG_AB, 1, REG_S, "plant", 0},
};

#undef IN
#undef HOLD

#endif
