"""Questions, quizzes and what learners answer."""
