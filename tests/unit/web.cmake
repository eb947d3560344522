# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_web_request LINK coolplane_web)
coolplane_unit_test(test_web LINK coolplane_web)
