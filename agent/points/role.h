/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What a point means to the controller. A role follows from the point's Brick class and the class of the equipment it
 * belongs to, never from its name; a site without some equipment simply has no points of those roles.
 *
 * Brick 1.3 names (brickschema.org); classes Brick has no word for (heartbeat, lease) are ours and listed in role.c.
 */
#ifndef COOLPLANE_POINTS_ROLE_H
#define COOLPLANE_POINTS_ROLE_H

#include <stddef.h>

/* Classes of equipment in the site file. */
enum equipment_class {
        EQ_NONE = 0,
        EQ_RACK,       /* ICT_Rack */
        EQ_CRAH,       /* Computer_Room_Air_Handler; also CRAC, AHU, Air_Handler_Unit */
        EQ_CHILLER,    /* Chiller */
        EQ_TOWER,      /* Cooling_Tower */
        EQ_PUMP,       /* Water_Pump (chilled or condenser) */
        EQ_PLANT,      /* Chilled_Water_System: plant-level setpoints and temperatures */
        EQ_ECONOMIZER, /* Water-side economiser heat exchanger */
        EQ_WEATHER,    /* Weather_Station */
        EQ_ROOM,       /* Room / HVAC_Zone: room-level sensors (dew point, differential pressure) */
        EQ_METER,      /* Building_Electrical_Meter: totals */
};

enum role {
        ROLE_NONE = 0, /* stored and shown, not used for control */
        /* racks */
        ROLE_INLET_TEMP,  /* °C, server inlet */
        ROLE_OUTLET_TEMP, /* °C, server outlet */
        ROLE_RACK_POWER,  /* W, IT input including server fans */
        /* air handlers */
        ROLE_SAT,         /* °C supply (leaving) air */
        ROLE_SAT_SP,      /* °C, writable */
        ROLE_RAT,         /* °C return (entering) air */
        ROLE_MAT,         /* °C mixed air */
        ROLE_FAN_CMD,     /* ratio 0–1, writable */
        ROLE_FAN,         /* ratio 0–1, measured */
        ROLE_VALVE,       /* chilled-water valve, ratio 0–1 */
        ROLE_HEAT_VALVE,  /* heating valve, ratio 0–1 */
        ROLE_DAMPER,      /* outdoor-air damper, ratio 0–1 */
        ROLE_CRAH_POWER,  /* W, fan power */
        ROLE_AIR_DP,      /* Pa, under-floor, containment or duct */
        ROLE_CRAH_STATUS, /* 0/1 running */
        /* water side */
        ROLE_CHWST,          /* °C leaving chilled water */
        ROLE_CHWRT,          /* °C entering chilled water */
        ROLE_CHWST_SP,       /* °C, writable */
        ROLE_CHW_FLOW,       /* m³/s */
        ROLE_CWST,           /* °C entering condenser water (leaving tower) */
        ROLE_CWRT,           /* °C leaving condenser water */
        ROLE_CWST_SP,        /* °C, writable */
        ROLE_CHILLER_ENABLE, /* 0/1, writable */
        ROLE_CHILLER_STATUS, /* 0/1 running */
        ROLE_CHILLER_POWER,  /* W */
        ROLE_CHILLER_PLR,    /* ratio */
        ROLE_TOWER_POWER,    /* W */
        ROLE_TOWER_FAN,      /* ratio */
        ROLE_PUMP_POWER,     /* W */
        ROLE_ECON_STATUS,    /* 0/1 */
        /* outdoors and room */
        ROLE_OAT,      /* °C dry bulb */
        ROLE_WETBULB,  /* °C */
        ROLE_OA_RH,    /* ratio */
        ROLE_DEWPOINT, /* °C, room */
        /* supervision, one set per controllable device */
        ROLE_HEARTBEAT_CMD,  /* counter we write */
        ROLE_HEARTBEAT_ECHO, /* counter the device shows back */
        ROLE_REMOTE_ENABLE,  /* 0/1, writable: 1 = obey remote setpoints while the heartbeat changes */
        ROLE_REMOTE_STATUS,  /* 1 = device follows remote setpoints, 0 = local */
        ROLE_WATCHDOG_TIME,  /* s, the device's own watchdog */
        ROLE_METER_POWER,    /* W, total of the facility */
        ROLE_OCCUPANCY,      /* 0/1 */
        /* racks again; rare, of the servers' own management */
        ROLE_SERVER_FAN_POWER, /* W, a part of ROLE_RACK_POWER */
        ROLE_COUNT_
};

/* Class named by a Brick equipment class in the site file; EQ_NONE if unknown. */
enum equipment_class equipment_class_from_brick(const char *brick);
const char *equipment_class_str(enum equipment_class c);

/* Role of a point of Brick class `brick` on equipment of class `eq`; ROLE_NONE if it plays none.
 * Returns −1 when the Brick class itself is unknown (a configuration error with did-you-mean). */
int role_from_brick(const char *brick, enum equipment_class eq);
const char *role_str(enum role r);

/* The table behind it, row by row: Brick class; NULL past the end. EQ_NONE = whatever the equipment. */
const char *role_rule(size_t i, enum equipment_class *ret_eq, enum role *ret_role);

/* Every known class name, for did-you-mean; NULL past the end (names may repeat). */
const char *equipment_brick_name(size_t i);
const char *point_brick_name(size_t i);

#endif
