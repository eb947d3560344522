# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_ipc LINK coolplane_ipc)
coolplane_unit_test(test_place LINK coolplane_place coolplane_num)
coolplane_unit_test(test_plan SOURCES plan_room.c LINK coolplane_plan)
coolplane_unit_test(test_plan_slow SOURCES plan_room.c LINK coolplane_plan)
coolplane_unit_test(test_plan_freecool SOURCES plan_room.c LINK coolplane_plan)
coolplane_unit_test(test_brain SOURCES brain_bench.c LINK coolplane_brain coolplane_num)
coolplane_unit_test(test_planner_link SOURCES brain_bench.c LINK coolplane_planner_link coolplane_num)
